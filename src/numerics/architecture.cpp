#include "numerics/architecture.hpp"

#include <fstream>
#include <istream>
#include <map>

#include <dnnl.hpp>
#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <sys/auxv.h>
#include <sys/prctl.h>
#endif

#include "core/error.hpp"
#include "core/types.hpp"

namespace dmoe::numerics {

namespace {

#if defined(__x86_64__)

/// What can be chosen here beyond "best".
const std::map<std::string, dnnl::cpu_isa> choices{
    {"avx512", dnnl::cpu_isa::avx512_core}, {"avx2", dnnl::cpu_isa::avx2}, {"sse41", dnnl::cpu_isa::sse41}};

// Twelve chains: more than the latency of a multiply-add times the units of any current core, and few enough
// for the 16 registers of AVX2. They begin at different values: of equal ones the compiler would compute one.
constexpr int chains = 12;
constexpr Index rounds = 4'000'000;

__attribute__((target("avx512f"))) float fma_avx512() {
  __m512 sums[chains];
  for (int i = 0; i < chains; ++i) sums[i] = _mm512_set1_ps(static_cast<float>(i));
  const __m512 factor = _mm512_set1_ps(0.999F);
  const __m512 term = _mm512_set1_ps(0.001F);
  for (Index i = 0; i < rounds; ++i) {
    for (__m512& sum : sums) sum = _mm512_fmadd_ps(sum, factor, term);
  }
  float total = 0;
  for (const __m512& sum : sums) total += _mm512_cvtss_f32(sum);
  return total;
}

__attribute__((target("avx2,fma"))) float fma_avx2() {
  __m256 sums[chains];
  for (int i = 0; i < chains; ++i) sums[i] = _mm256_set1_ps(static_cast<float>(i));
  const __m256 factor = _mm256_set1_ps(0.999F);
  const __m256 term = _mm256_set1_ps(0.001F);
  for (Index i = 0; i < rounds; ++i) {
    for (__m256& sum : sums) sum = _mm256_fmadd_ps(sum, factor, term);
  }
  float total = 0;
  for (const __m256& sum : sums) total += _mm256_cvtss_f32(sum);
  return total;
}

bool has_avx512() {
  return __builtin_cpu_supports("avx512f") != 0;
}

#else

const std::map<std::string, dnnl::cpu_isa> choices;

#endif

}  // namespace

std::vector<std::string> instruction_set_names() {
  return {"best", "avx512", "avx2", "sse41"};
}

void use_instruction_set(const std::string& name) {
  static std::string in_force;  // oneDNN takes one a process
  if (!in_force.empty() && in_force != name)
    throw InputError("numerics.isa is {}, but this process computes with {}: give it one of its own", name,
                     in_force);
  if (in_force == name) return;
  in_force = name;
  if (name == "best") return;
  const auto found = choices.find(name);
  if (found == choices.end()) {
    std::string known = "best";
    for (const auto& choice : choices) known += ", " + choice.first;
    throw InputError("instruction set must be one of {} on this architecture, got {}", known, name);
  }
  if (dnnl::set_max_cpu_isa(found->second) != dnnl::status::success)
    throw RunError("oneDNN refuses to change the instruction set after its first product");
}

std::string cpu_name(std::istream& cpuinfo) {
  std::string implementer;
  for (std::string line; std::getline(cpuinfo, line);) {
    const std::size_t colon = line.find(": ");
    if (colon == std::string::npos) continue;
    std::string value = line.substr(colon + 2);
    if (line.starts_with("model name")) return value;
    if (line.starts_with("CPU implementer")) implementer = value;
    if (line.starts_with("CPU part"))
      return fmt::format("aarch64 CPU, implementer {}, part {}", implementer, value);
  }
  return "unknown";
}

std::string cpu_name() {
  std::ifstream info("/proc/cpuinfo");
  return cpu_name(info);
}

#if defined(__x86_64__)

std::string instruction_set() {
  switch (dnnl::get_effective_cpu_isa()) {
    case dnnl::cpu_isa::sse41:
      return "sse41";
    case dnnl::cpu_isa::avx:
      return "avx";
    case dnnl::cpu_isa::avx2:
      return "avx2";
    case dnnl::cpu_isa::avx2_vnni:
      return "avx2_vnni";
    case dnnl::cpu_isa::avx512_core:
      return "avx512_core";
    case dnnl::cpu_isa::avx512_core_vnni:
      return "avx512_core_vnni";
    case dnnl::cpu_isa::avx512_core_bf16:
      return "avx512_core_bf16";
    case dnnl::cpu_isa::avx512_core_amx:
      return "avx512_core_amx";
    default:
      return fmt::format("oneDNN set {:#x}", static_cast<unsigned>(dnnl::get_effective_cpu_isa()));
  }
}

namespace {

/// A set has a bit for each of its extensions.
bool has_all_of(dnnl::cpu_isa set) {
  const auto needed = static_cast<unsigned>(set);
  return (static_cast<unsigned>(dnnl::get_effective_cpu_isa()) & needed) == needed;
}

}  // namespace

bool has_bf16_products() {
  return has_all_of(dnnl::cpu_isa::avx512_core_bf16);
}

bool MultiplyAddLoop::is_available() {
  return __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0;
}

void MultiplyAddLoop::run() {
  result_ += has_avx512() ? fma_avx512() : fma_avx2();
  volatile float seen = result_;
  static_cast<void>(seen);
}

double MultiplyAddLoop::flops() {
  return 2.0 * chains * (has_avx512() ? 16 : 8) * static_cast<double>(rounds);
}

#else

std::string instruction_set() {
#if defined(__aarch64__)
  if ((getauxval(AT_HWCAP) & HWCAP_SVE) == 0) return "asimd";
  // With its width, by which oneDNN chooses its kernels.
  return fmt::format("sve_{}", 8 * (prctl(PR_SVE_GET_VL) & PR_SVE_VL_LEN_MASK));
#else
  return "generic";
#endif
}

bool has_bf16_products() {
  return false;
}

bool MultiplyAddLoop::is_available() {
  return false;
}

void MultiplyAddLoop::run() {}

double MultiplyAddLoop::flops() {
  return 0;
}

#endif

}  // namespace dmoe::numerics
