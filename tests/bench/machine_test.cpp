#include "bench/machine.hpp"

#include <gmock/gmock.h>

#include "numerics/architecture.hpp"

namespace dmoe::bench {
namespace {

using testing::DoubleNear;
using testing::ElementsAre;

TEST(SquareProduct, counts_a_multiply_and_an_add_for_each_of_1024_cubed) {
  EXPECT_EQ(SquareProduct::flops(), 2'147'483'648.0);
}

TEST(Triad, counts_two_arrays_read_and_one_written) {
  EXPECT_EQ(Triad::bytes(), 3 * 64.0 * 1024 * 1024);
}

/// Milliseconds of a run at that rate.
double product_ms(double gflops) {
  return 1e3 * SquareProduct::flops() / (1e9 * gflops);
}
double loop_ms(double gflops) {
  return 1e3 * numerics::MultiplyAddLoop::flops() / (1e9 * gflops);
}

TEST(PeakOf, is_the_larger_of_two_rates) {
  const Peak loop = peak_of({loop_ms(200), loop_ms(260)}, {product_ms(100), product_ms(150)});
  EXPECT_EQ(loop.name, "FMA loop");
  EXPECT_THAT(loop.gflops, ElementsAre(DoubleNear(200, 1e-9), DoubleNear(260, 1e-9)));
  const Peak product = peak_of({loop_ms(90), loop_ms(120)}, {product_ms(100), product_ms(150)});
  EXPECT_EQ(product.name, "product 1024^3");
  EXPECT_THAT(product.gflops, ElementsAre(DoubleNear(100, 1e-9), DoubleNear(150, 1e-9)));
}

TEST(PeakOf, goes_by_the_medians) {
  EXPECT_EQ(
      peak_of({loop_ms(10), loop_ms(20), loop_ms(900)}, {product_ms(50), product_ms(60), product_ms(5)}).name,
      "product 1024^3");
}

TEST(PeakOf, is_that_of_the_product_where_there_is_no_loop) {
  const Peak peak = peak_of({}, {product_ms(7)});
  EXPECT_EQ(peak.name, "product 1024^3");
  EXPECT_THAT(peak.gflops, ElementsAre(DoubleNear(7, 1e-9)));
}

}  // namespace
}  // namespace dmoe::bench
