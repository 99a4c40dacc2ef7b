#include "exchange/dense_exchange.hpp"

#include <algorithm>
#include <array>

#include <gtest/gtest.h>

#include "support/random_matrix.hpp"
#include "support/same_bits.hpp"
#include "support/world.hpp"

namespace dmoe::exchange {
namespace {

using test::random_matrix;
using test::same_bits;
using test::world;

constexpr Index capacity = 6;
constexpr std::array<Index, 3> batches{6, 1, 4};  // the largest, then smaller ones in the same buffers
constexpr std::array<Index, 5> expert_counts{1, 2, 5, 7, 16};  // of 1 and 2 some ranks own none

TEST(SharedMatrix, gives_the_coordinators_values_to_all) {
  SharedMatrix shared(world(), capacity, 7);
  for (const Index rows : batches) {
    const Matrix expected = random_matrix(rows, 7, static_cast<std::uint64_t>(rows));
    if (world().is_coordinator()) std::ranges::copy(expected.values(), shared.matrix(rows).data);
    shared.share(rows);
    EXPECT_TRUE(same_bits(shared.arrived(rows), expected.view()));
    shared.finish();
    EXPECT_TRUE(same_bits(shared.arrived(rows), expected.view()));
  }
}

TEST(TreeReduction, has_the_bits_of_one_rank) {
  constexpr Index width = 9;
  for (const Index experts : expert_counts) {
    const Topology topology(experts, world().size());
    const ExpertRange own = topology.range(world().rank());
    TreeReduction reduction(world(), topology, capacity, width, comm::Tag::partial_sums);
    for (const Index rows : batches) {
      const Matrix leaves = random_matrix(experts * rows, width, static_cast<std::uint64_t>(experts));
      reduction.begin(rows);
      for (std::size_t k = 0; k < reduction.blocks().size(); ++k) {
        model::tree_sum(reduction.blocks()[k], experts,
                        leaves.view().rows_from(own.first * rows, own.count * rows), own.first,
                        reduction.block(static_cast<Index>(k)));
      }
      reduction.send();
      Matrix sum(rows, width);
      reduction.combine(sum.view());
      if (!world().is_coordinator()) continue;
      Matrix expected(rows, width);
      model::tree_sum(model::whole_tree(experts), experts, leaves.view(), 0, expected.view());
      EXPECT_TRUE(same_bits(sum.view(), expected.view())) << experts << " experts, " << rows << " rows";
    }
  }
}

TEST(GateGradient, gathers_the_columns_of_all_ranks) {
  for (const Index experts : expert_counts) {
    const Topology topology(experts, world().size());
    const ExpertRange own = topology.range(world().rank());
    GateGradient gradient(world(), topology, capacity);
    for (const Index rows : batches) {
      const Matrix expected = random_matrix(rows, experts, static_cast<std::uint64_t>(experts));
      gradient.begin(rows);
      for (Index b = 0; b < rows; ++b) {
        for (Index i = 0; i < own.count; ++i) gradient.own()(b, i) = expected.view()(b, own.first + i);
      }
      gradient.send();
      const ConstMatrixView all = gradient.collect();
      if (world().is_coordinator()) {
        EXPECT_TRUE(same_bits(all, expected.view())) << experts << " experts, " << rows << " rows";
      } else {
        EXPECT_EQ(all.count(), 0);
      }
    }
  }
}

/// Expert i's value at row b, column h, and its place (B, N H) on the coordinator.
float value_of(Index i, Index b, Index h) {
  return static_cast<float>(100 * i + 10 * b + h);
}

TEST(Concatenation, puts_all_experts_side_by_side_and_brings_their_parts_back) {
  constexpr Index width = 3;
  for (const Index experts : expert_counts) {
    const Topology topology(experts, world().size());
    const ExpertRange range = topology.range(world().rank());
    Concatenation side_by_side(world(), topology, capacity, width);
    for (const Index rows : batches) {
      Matrix own(range.count * rows, width);
      for (Index i = 0; i < range.count; ++i) {
        for (Index b = 0; b < rows; ++b) {
          for (Index h = 0; h < width; ++h) own.view()(i * rows + b, h) = value_of(range.first + i, b, h);
        }
      }
      Matrix all(rows, experts * width);
      side_by_side.begin_gather(rows);
      side_by_side.send(own.view());
      side_by_side.collect(own.view(), all.view());
      if (world().is_coordinator()) {
        for (Index b = 0; b < rows; ++b) {
          for (Index i = 0; i < experts; ++i) {
            for (Index h = 0; h < width; ++h)
              EXPECT_EQ(all.view()(b, i * width + h), value_of(i, b, h)) << experts << " experts";
          }
        }
      }
      side_by_side.scatter(all.view());
      EXPECT_TRUE(same_bits(side_by_side.arrived(), own.view()));
      side_by_side.finish();
    }
  }
}

}  // namespace
}  // namespace dmoe::exchange
