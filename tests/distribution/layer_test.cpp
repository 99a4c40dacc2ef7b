#include "distribution/layer.hpp"

#include <algorithm>
#include <array>
#include <vector>

#include <gtest/gtest.h>

#include "support/random_matrix.hpp"
#include "support/same_bits.hpp"
#include "support/world.hpp"

namespace dmoe::distribution {
namespace {

using test::random_matrix;
using test::same_bits;
using test::world;

constexpr Index inputs = 11;
constexpr Index capacity = 8;

/// What a forward and backward pass of one layer gives.
struct Pass {
  Pass(Layer& layer, const comm::Communicator& ranks, const model::NetworkSpec& spec, Index number,
       Index rows)
      : d_x(rows, inputs), homes(ranks, rows) {
    const model::LayerSpec& of = spec.layers[size(number)];
    const Matrix x = random_matrix(rows, inputs, 1);
    const Matrix d_z = random_matrix(rows, spec.output_width(number), 2);
    std::vector<std::uint8_t> masked(size(of.choices()));
    if (of.choices() > 1) masked.back() = 1;
    layer.forward({x.view(), 0}, {masked, homes});
    EXPECT_EQ(layer.mixture() != nullptr, of.is_gated());
    if (Mixture* const mixture = layer.mixture()) {
      const ConstMatrixView gates = mixture->gates();
      gate_values.assign(gates.values().begin(), gates.values().end());
    }
    const MatrixView z = layer.output().own();
    if (ranks.is_coordinator()) {
      output.assign(z.values().begin(), z.values().end());
      std::ranges::copy(d_z.values(), layer.d_output().data);
    }
    layer.ship_d_output();
    layer.backward({x.view(), 0}, d_x.view(), [this] { ++shipped; });
  }
  std::vector<float> gate_values;
  std::vector<float> output;
  Matrix d_x;
  exchange::Homes homes;
  int shipped = 0;
};

/// Layer 1 (of 0, 1) of these is the one under test; `inputs` wide below.
model::NetworkSpec above_a_layer(const model::LayerSpec& layer) {
  return {9, 3, {{2, inputs, 2}, layer}};
}

TEST(Layer, of_every_kind_has_the_bits_of_one_rank) {
  using enum model::LayerKind;
  for (const model::LayerSpec& layer :
       {model::LayerSpec{7, 5, 4}, model::LayerSpec{2, 9, 3}, model::LayerSpec{1, 3, 2},
        model::LayerSpec{7, 5, 0, concatenated}, model::LayerSpec{1, 3, 0, concatenated},
        model::LayerSpec{1, 6, 0, single}, model::LayerSpec{1, 6, 0, dense},
        model::LayerSpec{5, 4, 3, classifier_mixture}}) {
    SCOPED_TRACE(fmt::format("{} of {} experts", model::to_text(layer.kind), layer.experts));
    const model::NetworkSpec spec = above_a_layer(layer);
    const comm::Communicator alone = comm::Communicator::local();
    const auto sharded = make_layer(spec, 1, {world(), 5, capacity});
    const auto whole = make_layer(spec, 1, {alone, 5, capacity});
    for (const Index rows : {8, 3}) {
      const Pass got(*sharded, world(), spec, 1, rows);
      const Pass expected(*whole, alone, spec, 1, rows);
      EXPECT_EQ(got.gate_values, expected.gate_values);
      EXPECT_EQ(got.shipped, 1);
      if (!world().is_coordinator()) continue;
      EXPECT_EQ(got.output, expected.output);
      EXPECT_TRUE(std::ranges::any_of(got.output, [](float value) { return value != 0.0F; }));
      EXPECT_TRUE(same_bits(got.d_x.view(), expected.d_x.view()));
      EXPECT_TRUE(std::ranges::any_of(got.d_x.values(), [](float value) { return value != 0.0F; }));
    }
  }
}

TEST(Layer, that_is_the_first_does_not_touch_the_input_gradient) {
  using enum model::LayerKind;
  for (const model::LayerSpec& layer : {model::LayerSpec{5, 4, 3}, model::LayerSpec{5, 4, 0, concatenated},
                                        model::LayerSpec{1, 4, 0, single}}) {
    const model::NetworkSpec spec{inputs, 3, {layer}};
    const auto first = make_layer(spec, 0, {world(), 5, capacity});
    const Pass pass(*first, world(), spec, 0, 4);
    EXPECT_TRUE(std::ranges::all_of(pass.d_x.values(), [](float value) { return value == 0.0F; }));
  }
}

}  // namespace
}  // namespace dmoe::distribution
