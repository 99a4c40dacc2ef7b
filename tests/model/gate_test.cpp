#include "model/gate.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include <gtest/gtest.h>

#include "support/random_matrix.hpp"

namespace dmoe::model {
namespace {

using test::random_matrix;

constexpr LayerSpec spec{4, 9, 6};
constexpr Index inputs = 11;
constexpr Index batch = 5;

TEST(Gate, is_a_softmax_over_those_not_masked) {
  Gate gate(spec, inputs, 1, Presence::here, 0, batch);
  const Matrix x = random_matrix(batch, inputs, 1);
  Matrix gates = random_matrix(batch, spec.experts, 2);
  gate.forward(x.view(), std::array<std::uint8_t, 4>{0, 1, 0, 0}, gates.view());
  for (Index b = 0; b < batch; ++b) {
    float sum = 0;
    for (const float value : gates.view().row(b)) sum += value;
    EXPECT_NEAR(sum, 1.0F, 1e-6F);
    EXPECT_EQ(gates.view()(b, 1), 0.0F);
    EXPECT_GT(gates.view()(b, 0), 0.0F);
  }
}

TEST(Gate, gets_no_gradient_where_one_expert_is_left) {
  Gate gate(spec, inputs, 1, Presence::here, 0, batch);
  const Matrix x = random_matrix(batch, inputs, 1);
  const Matrix d_gates = random_matrix(batch, spec.experts, 2);
  Matrix gates(batch, spec.experts);
  Matrix d_x = random_matrix(batch, inputs, 3);
  gate.forward(x.view(), std::array<std::uint8_t, 4>{1, 1, 0, 1}, gates.view());
  for (Index b = 0; b < batch; ++b) EXPECT_EQ(gates.view()(b, 2), 1.0F);
  gate.backward_input(gates.view(), d_gates.view(), d_x.view());
  gate.backward_weights(x.view());
  const auto is_zero = [](float value) { return value == 0.0F; };
  EXPECT_TRUE(std::ranges::all_of(d_x.values(), is_zero));
  Index listed = 0;
  gate.for_each_parameter("", [&](const Parameter& parameter) {
    ++listed;
    EXPECT_TRUE(std::ranges::all_of(parameter.gradient, is_zero)) << parameter.name;
  });
  EXPECT_EQ(listed, 4);
}

TEST(Gate, lists_its_parameters_where_it_is_elsewhere) {
  Gate gate(spec, inputs, 1, Presence::elsewhere, 0, batch);
  std::vector<std::vector<Index>> shapes;
  gate.for_each_parameter("", [&](const Parameter& parameter) {
    shapes.push_back(parameter.shape);
    EXPECT_EQ(parameter.count, 0);
    EXPECT_TRUE(parameter.values.empty());
  });
  EXPECT_EQ(shapes, (std::vector<std::vector<Index>>{{6, 11}, {6}, {4, 6}, {4}}));
}

}  // namespace
}  // namespace dmoe::model
