#include "model/slices.hpp"

#include <array>
#include <cmath>
#include <set>
#include <vector>

#include <gmock/gmock.h>

#include "support/random_matrix.hpp"
#include "support/same_bits.hpp"

namespace dmoe::model {
namespace {

using test::random_matrix;
using test::same_bits;
using testing::ElementsAre;

std::vector<Index> counts(const Slices& slices, Index rows) {
  std::vector<Index> counts;
  for (Index j = 0; j < slices.count(); ++j) counts.push_back(slices.of(j, rows).count);
  return counts;
}

TEST(Slices, cut_a_batch_into_equal_lengths_and_a_rest) {
  const Slices all(4, 10, 0, 4);  // q = 3
  EXPECT_THAT(counts(all, 10), ElementsAre(3, 3, 3, 1));
  EXPECT_THAT(counts(all, 5), ElementsAre(3, 2, 0, 0));
  EXPECT_EQ(all.own_rows(10), (RowRange{0, 10}));
  const Slices last(4, 10, 2, 4);
  EXPECT_EQ(last.own_rows(10), (RowRange{6, 4}));
  EXPECT_EQ(last.own_rows(7), (RowRange{6, 1}));
  EXPECT_EQ(last.own_rows(5), (RowRange{5, 0}));
  EXPECT_THAT(counts(last, 4), ElementsAre(3, 1));
  EXPECT_THAT(counts(Slices::whole(), 17), ElementsAre(17));
  EXPECT_EQ(Slices::whole().own_rows(17), (RowRange{0, 17}));
}

TEST(Slices, hold_the_maximal_blocks_of_their_tree) {
  EXPECT_THAT(Slices(8, 64, 2, 5).blocks(), ElementsAre(TreeBlock{2, 2}, TreeBlock{4, 1}));
  EXPECT_EQ(Slices(7, 64, 0, 7).blocks().size(), 1U);
}

/// The sum over slices of these values, those of absent slices left out.
float sum_of(const std::vector<float>& values, const std::set<Index>& absent = {}) {
  const auto count = static_cast<Index>(values.size());
  const Slices slices(count, count, 0, count);
  float sum = -1;
  const MatrixView whole{&sum, 1, 1};
  sum_over_slices(
      slices, [&](Index j) { return !absent.contains(j); }, [&](Index /*k*/) { return whole; },
      [&](Index j, MatrixView into, Into how) {
        into.data[0] = how == Into::assigned ? values[size(j)] : into.data[0] + values[size(j)];
      });
  return sum;
}

TEST(SumOverSlices, follows_the_tree_and_not_the_order) {
  EXPECT_EQ(sum_of({1e8F, 1, -1e8F, 1}), 0);  // ((1e8 + 1) + (-1e8 + 1)); one after the other: 1
  EXPECT_EQ(sum_of({1e8F, 1, -1e8F}), 0);     // ((1e8 + 1) + -1e8)
  EXPECT_EQ(sum_of({1, 2, 3, 4, 5, 6, 7}), 28);
}

TEST(SumOverSlices, skips_what_is_absent) {
  EXPECT_EQ(sum_of({1e8F, 1, -1e8F, 1}, {1}), 0);  // (1e8 + (-1e8 + 1))
  EXPECT_EQ(sum_of({1e8F, 1, -1e8F, 1}, {0, 2}), 2);
  EXPECT_EQ(sum_of({1, 2, 3, 4}, {0, 1}), 7);
  EXPECT_EQ(sum_of({1, 2, 3, 4}, {0, 1, 2, 3}), 0);
  EXPECT_TRUE(std::signbit(sum_of({1, 2, 3, -0.0F}, {0, 1, 2})));  // never added to a 0
}

/// The gradient of W in slices, from products that are rounded and then added in the order of the tree.
TEST(LinearGradients, are_the_tree_over_the_products_of_slices) {
  constexpr Index rows = 37;
  constexpr Index width = 21;
  constexpr Index units = 9;
  const Matrix x = random_matrix(rows, width, 1);
  const Matrix d_y = random_matrix(rows, units, 2);
  Weights weight(units, width);
  Weights bias(1, units);
  const Slices slices(4, 40, 0, 4);  // 10, 10, 10, 7
  linear_gradients(slices, d_y.view(), x.view(), weight, bias);

  std::vector<Matrix> of_slice;
  std::vector<Matrix> bias_of_slice;
  for (Index j = 0; j < 4; ++j) {
    const RowRange range = slices.of(j, rows);
    of_slice.emplace_back(units, width);
    bias_of_slice.emplace_back(1, units);
    const ConstMatrixView d = d_y.view().rows_from(range.first, range.count);
    numerics::linear_weight_gradient(d, x.view().rows_from(range.first, range.count), of_slice.back().view());
    add_bias_gradient(d, bias_of_slice.back().view(), Into::assigned);
  }
  const auto tree = [](std::vector<Matrix>& leaves) {
    for (const auto& [into, from] : {std::pair{0, 1}, {2, 3}, {0, 2}}) {
      for (std::size_t i = 0; i < leaves.front().values().size(); ++i)
        leaves[size(Index{into})].values()[i] += leaves[size(Index{from})].values()[i];
    }
    return leaves.front().view();
  };
  EXPECT_TRUE(same_bits(weight.gradient.view(), tree(of_slice)));
  EXPECT_TRUE(same_bits(bias.gradient.view(), tree(bias_of_slice)));

  for (Index h = 0; h < units; ++h) {
    for (Index d = 0; d < width; ++d) {
      double sum = 0;
      for (Index b = 0; b < rows; ++b)
        sum += static_cast<double>(d_y.view()(b, h)) * static_cast<double>(x.view()(b, d));
      EXPECT_NEAR(weight.gradient.view()(h, d), sum, 1e-5);
    }
  }
}

TEST(LinearGradients, of_parts_of_the_slices_stand_in_blocks) {
  const Matrix x = random_matrix(30, 6, 1);
  const Matrix d_y = random_matrix(30, 3, 2);
  Weights whole(3, 6);
  Weights whole_bias(1, 3);
  linear_gradients(Slices(8, 30, 0, 8), d_y.view(), x.view(), whole, whole_bias);  // q = 4
  std::vector<BlockSum> blocks;
  std::vector<Weights> parts;
  parts.reserve(3);
  for (const auto& [first, end] : {std::pair<Index, Index>{0, 2}, {2, 5}, {5, 8}}) {
    const Slices slices(8, 30, first, end);
    const RowRange own = slices.own_rows(30);
    Weights& part = parts.emplace_back(3, 6, static_cast<Index>(slices.blocks().size()));
    Weights bias(1, 3, static_cast<Index>(slices.blocks().size()));
    linear_gradients(slices, d_y.view().rows_from(own.first, own.count),
                     x.view().rows_from(own.first, own.count), part, bias);
    for (std::size_t k = 0; k < slices.blocks().size(); ++k)
      blocks.push_back({slices.blocks()[k], part.gradient_block(static_cast<Index>(k)).data});
  }
  ASSERT_EQ(blocks.size(), 5U);
  Matrix sum(3, 6);
  combine_blocks(blocks, 8, sum.view());
  EXPECT_TRUE(same_bits(sum.view(), whole.gradient.view()));
}

}  // namespace
}  // namespace dmoe::model
