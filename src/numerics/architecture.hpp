// All that belongs to one processor architecture: the names of its instruction sets and of its CPUs, and its
// peak. What has no entry here is computed portably; the flags of the compiler are in
// cmake/DmoeArchitecture.cmake.
#pragma once

#include <iosfwd>
#include <string>
#include <vector>

namespace dmoe::numerics {

/// "best", and the names of all architectures, so that a config means the same on each. Local.
std::vector<std::string> instruction_set_names();

/// Restricts the instruction sets that the products may use: "best", on x86-64 "avx512", "avx2" or "sse41"
/// too. To be called before the first product. Throws InputError for a name that is none on this
/// architecture, RunError after the first product. Local.
void use_instruction_set(const std::string& name);

/// The instruction set in use, for example "avx512_core" on x86-64, "asimd" or "sve_256" on aarch64: products
/// have the same bits where it is the same. Local.
std::string instruction_set();

/// This machine's CPU as the kernel names it: "AMD EPYC 9654 96-Core Processor". On aarch64, where it has
/// numbers alone, those: "aarch64 CPU, implementer 0x41, part 0xd0c". "unknown" where it tells nothing.
/// Local.
std::string cpu_name();

/// The same of the text of /proc/cpuinfo. Local.
std::string cpu_name(std::istream& cpuinfo);

/// Whether the instruction set in use has products of bf16: on x86-64 AVX-512 with BF16, or AMX. Local.
bool has_bf16_products();

/// Fused multiply-adds in registers alone, in the widest vectors of this CPU that dmoe knows: the peak of one
/// core.
class MultiplyAddLoop {
 public:
  /// False on architectures other than x86-64, or where the CPU has no fused multiply-add. Local.
  static bool is_available();
  /// Local.
  void run();
  /// Floating-point operations of one run. Local.
  static double flops();

 private:
  float result_ = 0;  // so that no compiler leaves the loop out
};

}  // namespace dmoe::numerics
