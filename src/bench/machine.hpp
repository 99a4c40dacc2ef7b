// What this machine can do at most, measured in the run that is judged by it (one core, one thread), and what
// a process takes of its memory.
#pragma once

#include <string>

#include "bench/measurement.hpp"
#include "core/matrix.hpp"

namespace dmoe::bench {

/// One product of two square matrices, as all products of dmoe are computed. Local.
class SquareProduct {
 public:
  static constexpr const char* name = "product 1024^3";
  SquareProduct();
  void run();
  static double flops();

 private:
  Matrix a_, b_, bias_, c_;
};

/// a = b + s c over arrays larger than most caches (64 MiB each). Local.
class Triad {
 public:
  static constexpr const char* name = "triad";
  Triad();
  void run();
  /// Of one run: b and c read, a written; what a cache reads before it writes is not counted.
  static double bytes();

 private:
  Matrix a_, b_, c_;
};

/// The larger of two rates and which it is, from the times of a run of each; the loop's may be none.
struct Peak {
  std::string name;
  Samples gflops;
};
/// Times in milliseconds. Local.
Peak peak_of(const Samples& loop_ms, const Samples& product_ms);

/// Bytes of this process that are in memory, after giving back what is free. 0 where the system does not say.
/// Local.
Index resident_bytes();

}  // namespace dmoe::bench
