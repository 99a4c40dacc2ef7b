#include "model/expert.hpp"

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "numerics/architecture.hpp"
#include "support/random_matrix.hpp"
#include "support/same_bits.hpp"

namespace dmoe::model {
namespace {

using test::random_matrix;
using test::same_bits;

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

/// A layer of `experts`, of which [first, first + count) are here, on a batch in slices.
struct Layout {
  Index experts, hidden, inputs, rows, slices, first, count;
  Index layer = 2;
};

/// A forward and backward pass of x (B, D) for all own experts that may stand in this arrangement.
struct DensePass {
  DensePass(const Layout& of, Arrangement allowed)
      : slices(of.slices, of.rows, 0, of.slices),
        experts({of.experts, of.hidden, 4}, of.inputs, of.layer, of.first, of.count, 9, 1, allowed),
        d_gates(of.rows, of.count),
        d_inputs(of.count * of.rows, of.inputs),
        sum(of.rows, of.hidden) {
    const Matrix x = random_matrix(of.rows, of.inputs, 1);
    const Matrix gates = random_matrix(of.rows, of.experts, 2);
    const Matrix d_z = random_matrix(of.rows, of.hidden, 3);
    experts.forward(x.view(), slices);
    if (of.first == 0 && of.count == of.experts)
      weighted_tree_sum(whole_tree(of.experts), gates.view(), experts.outputs(), 0, sum.view(),
                        experts.arrangement());
    experts.backward_output(gates.view(), d_z.view(), d_gates.view());
    experts.backward_input(d_inputs.view());
    experts.backward_weights();
    experts.for_each_parameter("", [&](const Parameter& parameter) {
      gradients.emplace_back(parameter.gradient.begin(), parameter.gradient.end());
    });
  }
  /// f_i of row b.
  std::span<const float> output(Index i, Index b) const {
    const bool is_beside = experts.arrangement() == Arrangement::side_by_side;
    return experts.outputs().row(is_beside ? b * experts.count() + i : i * sum.rows() + b);
  }
  Slices slices;
  Experts experts;
  Matrix d_gates, d_inputs, sum;
  std::vector<std::vector<float>> gradients;
};

const std::vector<Layout> layouts{
    {4, 100, 1296, 128, 1, 0, 4, 1}, {4, 100, 1296, 128, 1, 0, 4}, {16, 128, 128, 64, 1, 5, 6, 1},
    {4, 30, 100, 40, 4, 0, 4, 1},    {7, 50, 100, 61, 1, 2, 5, 1}, {3, 200, 29, 1, 1, 0, 3, 1},
    {4, 100, 100, 128, 4, 0, 4},     {4, 50, 50, 100, 2, 1, 3},    {16, 128, 128, 64, 2, 5, 6},
    {7, 30, 100, 61, 4, 0, 7},       {7, 13, 29, 10, 3, 2, 5},     {3, 192, 160, 200, 8, 0, 3},
    {5, 1, 40, 33, 1, 0, 5},         {4, 20, 8, 50, 2, 0, 4},      {4, 100, 100, 1, 1, 0, 4},
    {9, 33, 64, 17, 8, 0, 9}};

TEST(Experts, side_by_side_have_the_bits_of_one_below_the_other) {
  for (const Layout& of : layouts) {
    SCOPED_TRACE(testing::Message() << of.experts << " x " << of.hidden << " on " << of.inputs << ", "
                                    << of.rows << " rows in " << of.slices);
    const DensePass beside(of, Arrangement::side_by_side);
    const DensePass below(of, Arrangement::one_below_other);
    ASSERT_EQ(below.experts.arrangement(), Arrangement::one_below_other);
    for (Index i = 0; i < of.count; ++i) {
      for (Index b = 0; b < of.rows; ++b) ASSERT_TRUE(same_bits(beside.output(i, b), below.output(i, b)));
    }
    EXPECT_TRUE(same_bits(beside.sum.view(), below.sum.view()));
    EXPECT_TRUE(same_bits(beside.d_gates.view(), below.d_gates.view()));
    EXPECT_TRUE(same_bits(beside.d_inputs.view(), below.d_inputs.view()));
    EXPECT_EQ(beside.gradients, below.gradients);
  }
}

TEST(Experts, stand_side_by_side_with_avx512) {
  if (!numerics::instruction_set().starts_with("avx512")) return;
  for (const Layout& of : layouts) {
    const Index slice = (of.rows + of.slices - 1) / of.slices;
    const bool can_be_tried = of.inputs >= 16 && slice * of.hidden >= 128;
    EXPECT_EQ(DensePass(of, Arrangement::side_by_side).experts.arrangement() == Arrangement::side_by_side,
              can_be_tried);
  }
}

}  // namespace
}  // namespace dmoe::model
