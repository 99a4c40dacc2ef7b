#include "model/summation_tree.hpp"

#include <bit>
#include <cmath>
#include <optional>
#include <vector>

#include <gmock/gmock.h>

#include "support/random_matrix.hpp"
#include "support/same_bits.hpp"

namespace dmoe::model {
namespace {

using test::random_matrix;
using test::same_bits;

/// The sum of the leaves below [first, first + width) of N, by the definition in the header.
float naive_sum(std::span<const float> leaves, Index first, Index width) {
  const auto experts = static_cast<Index>(leaves.size());
  if (width == 1) return leaves[size(first)];
  const Index middle = first + width / 2;
  const float left = naive_sum(leaves, first, width / 2);
  return middle < experts ? left + naive_sum(leaves, middle, width / 2) : left;
}

TEST(MaximalBlocks, follow_the_example_of_five) {
  EXPECT_THAT(maximal_blocks(0, 5, 5), testing::ElementsAre(TreeBlock{0, 8}));
  EXPECT_THAT(maximal_blocks(0, 4, 5), testing::ElementsAre(TreeBlock{0, 4}));
  EXPECT_THAT(maximal_blocks(1, 5, 5),
              testing::ElementsAre(TreeBlock{1, 1}, TreeBlock{2, 2}, TreeBlock{4, 4}));
  EXPECT_THAT(maximal_blocks(3, 3, 5), testing::IsEmpty());
  EXPECT_THAT(maximal_blocks(5, 5, 5), testing::IsEmpty());
}

TEST(MaximalBlocks, hold_every_range_exactly_and_in_the_fewest_subtrees) {
  for (Index experts = 1; experts <= 17; ++experts) {
    for (Index first = 0; first <= experts; ++first) {
      for (Index end = first; end <= experts; ++end) {
        const std::vector<TreeBlock> blocks = maximal_blocks(first, end, experts);
        const auto is_inside = [&](Index i) { return i >= experts || (first <= i && i < end); };
        Index next = first;
        for (const auto& [start, width] : blocks) {
          ASSERT_EQ(start, next);
          ASSERT_TRUE(std::has_single_bit(static_cast<std::uint64_t>(width)));
          ASSERT_EQ(start % width, 0);
          next = start + width;
          // Its parent would hold an expert of somebody else, or there is none.
          const Index parent = start - start % (2 * width);
          bool parent_is_inside = width < whole_tree(experts).width;
          for (Index i = parent; i < parent + 2 * width; ++i)
            parent_is_inside = parent_is_inside && is_inside(i);
          ASSERT_FALSE(parent_is_inside) << experts << ": " << first << " to " << end;
        }
        ASSERT_EQ(std::min(next, experts), end);
        ASSERT_LE(blocks.size(), 2 * std::bit_width(static_cast<std::uint64_t>(experts)));
      }
    }
  }
}

constexpr Index rows = 3;
constexpr Index columns = 5;

/// g (B, N) and f_i (B, H) of N experts, one below the other.
struct Leaves {
  explicit Leaves(Index experts)
      : gates(random_matrix(rows, experts, 1)), outputs(random_matrix(experts * rows, columns, 2)) {}
  Matrix gates;
  Matrix outputs;
  /// What a rank with experts from `first` on holds.
  ConstMatrixView outputs_from(Index first) const {
    return outputs.view().rows_from(first * rows, outputs.rows() - first * rows);
  }
  float output(Index expert, Index b, Index h) const { return outputs.view()(expert * rows + b, h); }
};

TEST(TreeSums, equal_a_naive_recursive_tree_bit_for_bit) {
  for (Index experts = 1; experts <= 17; ++experts) {
    const Leaves leaves(experts);
    Matrix weighted(rows, columns);
    Matrix plain(rows, columns);
    weighted_tree_sum(whole_tree(experts), leaves.gates.view(), leaves.outputs.view(), 0, weighted.view());
    tree_sum(whole_tree(experts), experts, leaves.outputs.view(), 0, plain.view());
    for (Index b = 0; b < rows; ++b) {
      for (Index h = 0; h < columns; ++h) {
        std::vector<float> products;
        std::vector<float> values;
        for (Index i = 0; i < experts; ++i) {
          values.push_back(leaves.output(i, b, h));
          products.push_back(leaves.gates.view()(b, i) * values.back());
        }
        EXPECT_EQ(weighted.view()(b, h), naive_sum(products, 0, whole_tree(experts).width));
        EXPECT_EQ(plain.view()(b, h), naive_sum(values, 0, whole_tree(experts).width));
      }
    }
  }
}

/// The end of each rank's range of a split of N experts: bit i of `cuts` ends a range behind expert i.
std::vector<Index> range_ends(Index experts, unsigned cuts) {
  std::vector<Index> ends;
  for (Index i = 0; i < experts; ++i) {
    if (i + 1 == experts || (cuts >> i & 1U) != 0) ends.push_back(i + 1);
  }
  return ends;
}

TEST(CombineBlocks, equals_the_whole_tree_bit_for_bit_for_every_split) {
  for (Index experts = 1; experts <= 9; ++experts) {
    const Leaves leaves(experts);
    Matrix whole(rows, columns);
    weighted_tree_sum(whole_tree(experts), leaves.gates.view(), leaves.outputs.view(), 0, whole.view());
    Matrix whole_plain(rows, columns);
    tree_sum(whole_tree(experts), experts, leaves.outputs.view(), 0, whole_plain.view());
    for (unsigned cuts = 0; cuts < 1U << (experts - 1); ++cuts) {
      std::vector<Matrix> sums;
      std::vector<Matrix> plain_sums;
      std::vector<BlockSum> blocks;
      std::vector<BlockSum> plain_blocks;
      Index first = 0;
      for (const Index end : range_ends(experts, cuts)) {
        for (const TreeBlock& block : maximal_blocks(first, end, experts)) {
          Matrix& sum = sums.emplace_back(rows, columns);
          weighted_tree_sum(block, leaves.gates.view(), leaves.outputs_from(first), first, sum.view());
          blocks.push_back({block, sum.view().data});
          Matrix& plain = plain_sums.emplace_back(rows, columns);
          tree_sum(block, experts, leaves.outputs_from(first), first, plain.view());
          plain_blocks.push_back({block, plain.view().data});
        }
        first = end;
      }
      Matrix combined = random_matrix(rows, columns, 3);  // assigned, whatever it held
      combine_blocks(blocks, experts, combined.view());
      ASSERT_TRUE(same_bits(combined.view(), whole.view())) << experts << " experts, cuts " << cuts;
      combine_blocks(plain_blocks, experts, combined.view());
      ASSERT_TRUE(same_bits(combined.view(), whole_plain.view())) << experts << " experts, cuts " << cuts;
    }
  }
}

TEST(TreeSums, skip_absent_subtrees_instead_of_adding_zero) {
  // Only -0 + -0 is -0: a single +0 that were added would show.
  for (Index experts = 1; experts <= 17; ++experts) {
    Matrix gates(1, experts);
    Matrix outputs(experts, 1);
    for (float& gate : gates.values()) gate = 1.0F;
    for (float& output : outputs.values()) output = -0.0F;
    Matrix sum(1, 1);
    weighted_tree_sum(whole_tree(experts), gates.view(), outputs.view(), 0, sum.view());
    EXPECT_TRUE(std::signbit(sum.values()[0])) << experts;
    tree_sum(whole_tree(experts), experts, outputs.view(), 0, sum.view());
    EXPECT_TRUE(std::signbit(sum.values()[0])) << experts;
    std::vector<BlockSum> blocks;
    for (Index i = 0; i < experts; ++i) {
      for (const TreeBlock& block : maximal_blocks(i, i + 1, experts))
        blocks.push_back({block, outputs.view().data});
    }
    combine_blocks(blocks, experts, sum.view());
    EXPECT_TRUE(std::signbit(sum.values()[0])) << experts;
  }
}

/// The terms of a row are those of the whole tree without what is absent.
TEST(SumTerms, skips_what_is_absent) {
  for (Index experts : {1, 2, 5, 8, 13}) {
    const Matrix values = random_matrix(experts, columns, 7);
    const Matrix weights = random_matrix(experts, 1, 8);
    const std::uint32_t stride = experts > 8 ? 37 : 1;
    for (std::uint32_t present = 1; (present >> experts) == 0; present += stride) {
      std::vector<TreeTerm> terms;
      for (Index i = 0; i < experts; ++i) {
        if ((present >> i & 1U) != 0)
          terms.push_back({i, values.view().row(i).data(), &weights.values()[size(i)]});
      }
      std::vector<float> sum(columns);
      sum_terms(terms, sum);
      for (Index h = 0; h < columns; ++h) {
        // By the definition: nothing, or the sum of the halves that have something.
        const auto add = [&](const auto& self, Index first, Index width) -> std::optional<float> {
          if (first >= experts) return std::nullopt;
          if (width == 1) {
            if ((present >> first & 1U) == 0) return std::nullopt;
            return weights.values()[size(first)] * values.view()(first, h);
          }
          const std::optional<float> left = self(self, first, width / 2);
          const std::optional<float> right = self(self, first + width / 2, width / 2);
          if (!left || !right) return left ? left : right;
          return *left + *right;
        };
        ASSERT_EQ(sum[size(h)], *add(add, 0, whole_tree(experts).width)) << experts << " " << present;
      }
    }
  }
}

}  // namespace
}  // namespace dmoe::model
