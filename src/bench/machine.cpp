#include "bench/machine.hpp"

#include <cassert>
#include <fstream>
#include <malloc.h>
#include <unistd.h>

#include "bench/products.hpp"
#include "numerics/architecture.hpp"
#include "numerics/linear.hpp"

namespace dmoe::bench {

namespace {

constexpr Index square = 1024;
constexpr Index triad_count = Index{16} * 1024 * 1024;  // floats of each array

}  // namespace

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
  Peak loop{"FMA loop", inverses(1e-6 * numerics::MultiplyAddLoop::flops(), loop_ms)};
  return spread_of(loop.gflops).median >= spread_of(product.gflops).median ? loop : product;
}

Index resident_bytes() {
  malloc_trim(0);
  std::ifstream statistics("/proc/self/statm");
  Index pages = 0;
  Index resident_pages = 0;
  statistics >> pages >> resident_pages;
  return resident_pages * sysconf(_SC_PAGESIZE);
}

}  // namespace dmoe::bench
