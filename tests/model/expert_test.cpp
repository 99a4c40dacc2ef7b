#include "model/expert.hpp"

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "support/random_matrix.hpp"

namespace dmoe::model {
namespace {

using test::random_matrix;

constexpr LayerSpec spec{7, 13, 4};
constexpr Index inputs = 29;
constexpr Index batch = 10;

/// A forward and backward pass of experts [first, first + count).
struct Pass {
  Pass(Index first, Index count)
      : experts(spec, inputs, 2, first, count, 9), d_gates(batch, count), d_inputs(count * batch, inputs) {
    const Matrix x = random_matrix(batch, inputs, 1);
    const Matrix gates = random_matrix(batch, spec.experts, 2);
    const Matrix d_z = random_matrix(batch, spec.hidden, 3);
    experts.forward(x.view());
    experts.backward_output(gates.view(), d_z.view(), d_gates.view());
    experts.backward_input(d_inputs.view());
    experts.backward_weights();
  }
  /// Part i of what all own experts hold one below the other.
  static std::vector<float> part(std::span<const float> all, Index i, Index count) {
    const std::size_t length = all.size() / size(count);
    const auto one = all.subspan(size(i) * length, length);
    return {one.begin(), one.end()};
  }
  /// Everything that belongs to own expert i.
  std::vector<std::vector<float>> of(Index i) {
    std::vector<std::vector<float>> found;
    const Index count = experts.count();
    found.push_back(part(experts.outputs().values(), i, count));
    found.push_back(part(d_inputs.values(), i, count));
    experts.for_each_parameter("", [&](const Parameter& parameter) {
      found.push_back(part(parameter.values, i, count));
      found.push_back(part(parameter.gradient, i, count));
    });
    std::vector<float>& d_gate = found.emplace_back();
    for (Index b = 0; b < batch; ++b) d_gate.push_back(d_gates.view()(b, i));
    return found;
  }
  Experts experts;
  Matrix d_gates;
  Matrix d_inputs;
};

TEST(Experts, have_bits_that_do_not_depend_on_their_neighbours) {
  Pass all(0, spec.experts);
  for (Index first = 0; first < spec.experts; ++first) {
    for (Index count = 1; first + count <= spec.experts; ++count) {
      Pass some(first, count);
      for (Index i = 0; i < count; ++i) ASSERT_EQ(some.of(i), all.of(first + i)) << first << " " << count;
    }
  }
}

TEST(Experts, may_be_none) {
  Pass none(3, 0);
  EXPECT_EQ(none.experts.outputs().count(), 0);
  Index listed = 0;
  none.experts.for_each_parameter("x", [&](const Parameter& parameter) {
    ++listed;
    EXPECT_EQ(parameter.count, 0);
    EXPECT_TRUE(parameter.values.empty());
    EXPECT_EQ(parameter.shape.front(), spec.experts);
  });
  EXPECT_EQ(listed, 2);
}

TEST(Experts, list_their_shard_with_the_shape_of_the_whole) {
  Experts experts(spec, inputs, 1, 2, 3, 0);
  std::vector<std::string> names;
  experts.for_each_parameter("layers/1/experts", [&](const Parameter& parameter) {
    names.push_back(parameter.name);
    EXPECT_EQ(parameter.first, 2);
    EXPECT_EQ(parameter.count, 3);
    EXPECT_EQ(parameter.shape.size(), parameter.dimensions.size());
    Index block = 1;
    for (std::size_t axis = 1; axis < parameter.shape.size(); ++axis) block *= parameter.shape[axis];
    EXPECT_EQ(parameter.values.size(), size(3 * block));
    EXPECT_EQ(parameter.gradient.size(), size(3 * block));
    if (parameter.name.ends_with("bias")) {
      EXPECT_TRUE(std::ranges::all_of(parameter.values, [](float value) { return value == 0.0F; }));
    }
  });
  EXPECT_EQ(names, (std::vector<std::string>{"layers/1/experts/weight", "layers/1/experts/bias"}));
}

TEST(Experts, give_no_gradient_where_the_gate_is_zero) {
  Experts experts(spec, inputs, 1, 0, spec.experts, 0);
  const Matrix x = random_matrix(batch, inputs, 1);
  Matrix gates = random_matrix(batch, spec.experts, 2);
  for (Index b = 0; b < batch; ++b) gates.view()(b, 4) = 0.0F;
  const Matrix d_z = random_matrix(batch, spec.hidden, 3);
  Matrix d_gates(batch, spec.experts);
  experts.forward(x.view());
  experts.backward_output(gates.view(), d_z.view(), d_gates.view());
  experts.backward_weights();
  experts.for_each_parameter("", [&](const Parameter& parameter) {
    for (Index i = 0; i < spec.experts; ++i) {
      const std::vector<float> gradient = Pass::part(parameter.gradient, i, spec.experts);
      const bool is_zero = std::ranges::all_of(gradient, [](float value) { return value == 0.0F; });
      EXPECT_EQ(is_zero, i == 4) << parameter.name << " " << i;
    }
  });
}

}  // namespace
}  // namespace dmoe::model
