#include "bench/machine.hpp"

#include <cassert>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "bench/products.hpp"
#include "numerics/linear.hpp"

namespace dmoe::bench {

namespace {

constexpr Index square = 1024;
constexpr Index triad_count = Index{16} * 1024 * 1024;  // floats of each array

// Twelve chains: more than the latency of a multiply-add times the units of any current core, and few enough
// for the 16 registers of AVX2. They begin at different values: of equal ones the compiler would compute one.
constexpr int chains = 12;
constexpr Index rounds = 4'000'000;

#if defined(__x86_64__)

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

#endif

}  // namespace

#if defined(__x86_64__)

bool FmaLoop::is_available() {
  return __builtin_cpu_supports("fma") != 0;
}

void FmaLoop::run() {
  result_ += has_avx512() ? fma_avx512() : fma_avx2();
  volatile float seen = result_;
  static_cast<void>(seen);
}

double FmaLoop::flops() {
  return 2.0 * chains * (has_avx512() ? 16 : 8) * static_cast<double>(rounds);
}

#else

bool FmaLoop::is_available() {
  return false;
}

void FmaLoop::run() {}

double FmaLoop::flops() {
  return 0;
}

#endif

SquareProduct::SquareProduct()
    : a_(random_matrix(square, square)),
      b_(random_matrix(square, square)),
      bias_(1, square),
      c_(square, square) {}

void SquareProduct::run() {
  numerics::linear(a_.view(), b_.view(), bias_.values(), numerics::Activation::identity, c_.view());
}

double SquareProduct::flops() {
  return 2.0 * square * square * square;
}

Triad::Triad() : a_(1, triad_count), b_(1, triad_count), c_(1, triad_count) {}

void Triad::run() {
  float* const a = a_.values().data();
  const float* const b = b_.values().data();
  const float* const c = c_.values().data();
  for (Index i = 0; i < triad_count; ++i) a[i] = b[i] + 3.0F * c[i];
}

double Triad::bytes() {
  return 3.0 * sizeof(float) * triad_count;
}

Peak peak_of(const Samples& loop_ms, const Samples& product_ms) {
  Peak product{SquareProduct::name, inverses(1e-6 * SquareProduct::flops(), product_ms)};
  if (loop_ms.empty()) return product;
  Peak loop{FmaLoop::name, inverses(1e-6 * FmaLoop::flops(), loop_ms)};
  return spread_of(loop.gflops).median >= spread_of(product.gflops).median ? loop : product;
}

}  // namespace dmoe::bench
