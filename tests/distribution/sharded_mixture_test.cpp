#include "distribution/sharded_mixture.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include <gtest/gtest.h>

#include "support/random_matrix.hpp"
#include "support/world.hpp"

namespace dmoe::distribution {
namespace {

using test::random_matrix;
using test::world;

constexpr Index inputs = 11;
constexpr Index capacity = 8;

bool same_bits(ConstMatrixView a, ConstMatrixView b) {
  return a.count() == b.count() && std::memcmp(a.data, b.data, a.values().size_bytes()) == 0;
}

/// What a forward and backward pass of one layer gives.
struct Pass {
  Pass(ShardedMixture& layer, const comm::Communicator& ranks, const model::LayerSpec& spec, Index rows)
      : d_x(rows, inputs) {
    const Matrix x = random_matrix(rows, inputs, 1);
    const Matrix d_z = random_matrix(rows, spec.hidden, 2);
    std::vector<std::uint8_t> masked(size(spec.experts));
    masked.back() = spec.experts > 1 ? 1 : 0;
    layer.forward(x.view(), masked);
    const ConstMatrixView gates = layer.gates();
    gate_values.assign(gates.values().begin(), gates.values().end());
    const MatrixView z = layer.output().matrix(rows);
    if (ranks.is_coordinator()) {
      output.assign(z.values().begin(), z.values().end());
      std::ranges::copy(d_z.values(), layer.d_output().matrix(rows).data);
    }
    layer.d_output().share(rows);
    layer.backward(x.view(), d_x.view(), [this] { ++shipped; });
  }
  std::vector<float> gate_values;
  std::vector<float> output;
  Matrix d_x;
  int shipped = 0;
};

TEST(ShardedMixture, has_the_bits_of_one_rank) {
  for (const model::LayerSpec& spec :
       {model::LayerSpec{7, 5, 4}, model::LayerSpec{2, 9, 3}, model::LayerSpec{1, 3, 2}}) {
    const comm::Communicator alone = comm::Communicator::local();
    ShardedMixture sharded(spec, inputs, 2, InputGradient::wanted, world(), 5, capacity);
    ShardedMixture whole(spec, inputs, 2, InputGradient::wanted, alone, 5, capacity);
    for (const Index rows : {8, 3}) {
      const Pass got(sharded, world(), spec, rows);
      const Pass expected(whole, alone, spec, rows);
      EXPECT_EQ(got.gate_values, expected.gate_values);
      EXPECT_EQ(got.shipped, 1);
      if (!world().is_coordinator()) continue;
      EXPECT_EQ(got.output, expected.output);
      EXPECT_TRUE(same_bits(got.d_x.view(), expected.d_x.view()));
    }
  }
}

TEST(ShardedMixture, does_not_touch_the_input_gradient_where_it_is_not_wanted) {
  constexpr model::LayerSpec spec{5, 4, 3};
  ShardedMixture layer(spec, inputs, 1, InputGradient::skipped, world(), 5, capacity);
  const Pass pass(layer, world(), spec, 4);
  EXPECT_TRUE(std::ranges::all_of(pass.d_x.values(), [](float value) { return value == 0.0F; }));
}

}  // namespace
}  // namespace dmoe::distribution
