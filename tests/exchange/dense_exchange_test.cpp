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

/// Of so many rows, where they can be at home: with the coordinator, or on all ranks that get a slice.
std::vector<Homes> all_homes(Index rows) {
  return {Homes(world(), rows), Homes(world(), rows, Gating::rows, model::Slices(4, capacity, 0, 4)),
          Homes(world(), rows, Gating::rows, model::Slices(capacity, capacity, 0, capacity))};
}

/// The rows of a matrix that are at home here.
ConstMatrixView at_home(const Homes& homes, const Matrix& all) {
  return all.view().rows_from(homes.own().first, homes.own().count);
}

TEST(Homes, have_each_row_once) {
  for (const Index rows : batches) {
    for (const Homes& homes : all_homes(rows)) {
      Index next = 0;
      for (Index rank = 0; rank < world().size(); ++rank) {
        EXPECT_EQ(homes.of(rank).first, next);
        next += homes.of(rank).count;
      }
      EXPECT_EQ(next, rows);
      EXPECT_EQ(homes.rows(), rows);
    }
  }
  const Homes dealt(world(), capacity, Gating::rows, model::Slices(capacity, capacity, 0, capacity));
  EXPECT_EQ(dealt.own().count,
            (world().rank() + 1) * capacity / world().size() - world().rank() * capacity / world().size());
}

TEST(SharedMatrix, gives_the_rows_of_their_homes_to_all) {
  SharedMatrix shared(world(), 7);
  for (const Index rows : batches) {
    for (const Homes& homes : all_homes(rows)) {
      const Matrix expected = random_matrix(rows, 7, static_cast<std::uint64_t>(rows));
      shared.begin(homes, Reach::everywhere);
      std::ranges::copy(at_home(homes, expected).values(), shared.own().data);
      shared.share();
      EXPECT_TRUE(same_bits(shared.arrived().values, expected.view()));
      shared.finish();
      EXPECT_TRUE(same_bits(shared.arrived().values, expected.view()));
      EXPECT_TRUE(same_bits(shared.own(), at_home(homes, expected)));
    }
  }
}

TEST(SharedMatrix, keeps_rows_at_home) {
  SharedMatrix kept(world(), 7);
  for (const Homes& homes : all_homes(capacity)) {
    const Matrix expected = random_matrix(capacity, 7, 1);
    kept.begin(homes, Reach::home);
    std::ranges::copy(at_home(homes, expected).values(), kept.own().data);
    EXPECT_EQ(kept.arrived().first, homes.own().first);
    EXPECT_TRUE(same_bits(kept.arrived().of(homes.own()), at_home(homes, expected)));
  }
}

TEST(TreeReduction, has_the_bits_of_one_rank) {
  constexpr Index width = 9;
  for (const Index experts : expert_counts) {
    const Topology topology(experts, world().size());
    const ExpertRange own = topology.range(world().rank());
    TreeReduction reduction(world(), topology, width, comm::Tag::partial_sums);
    for (const Index rows : batches) {
      for (const Homes& homes : all_homes(rows)) {
        const Matrix leaves = random_matrix(experts * rows, width, static_cast<std::uint64_t>(experts));
        reduction.begin(homes);
        for (std::size_t k = 0; k < reduction.blocks().size(); ++k) {
          model::tree_sum(reduction.blocks()[k], experts,
                          leaves.view().rows_from(own.first * rows, own.count * rows), own.first,
                          reduction.block(static_cast<Index>(k)));
        }
        reduction.send();
        Matrix sum(homes.own().count, width);
        reduction.combine(sum.view());
        Matrix expected(rows, width);
        model::tree_sum(model::whole_tree(experts), experts, leaves.view(), 0, expected.view());
        EXPECT_TRUE(same_bits(sum.view(), at_home(homes, expected)))
            << experts << " experts, " << rows << " rows";
      }
    }
  }
}

TEST(GateGradient, gathers_the_columns_of_all_ranks) {
  for (const Index experts : expert_counts) {
    const Topology topology(experts, world().size());
    const ExpertRange own = topology.range(world().rank());
    GateGradient gradient(world(), topology);
    for (const Index rows : batches) {
      for (const Homes& homes : all_homes(rows)) {
        const Matrix expected = random_matrix(rows, experts, static_cast<std::uint64_t>(experts));
        gradient.begin(homes);
        for (Index b = 0; b < rows; ++b) {
          for (Index i = 0; i < own.count; ++i) gradient.own()(b, i) = expected.view()(b, own.first + i);
        }
        gradient.send();
        EXPECT_TRUE(same_bits(gradient.collect(), at_home(homes, expected)))
            << experts << " experts, " << rows << " rows";
      }
    }
  }
}

/// Expert i's value at row b, column h, and its place (B, N H) at the home of row b.
float value_of(Index i, Index b, Index h) {
  return static_cast<float>(100 * i + 10 * b + h);
}

TEST(Concatenation, puts_all_experts_side_by_side_and_brings_their_parts_back) {
  constexpr Index width = 3;
  for (const Index experts : expert_counts) {
    const Topology topology(experts, world().size());
    const ExpertRange range = topology.range(world().rank());
    Concatenation side_by_side(world(), topology, width);
    for (const Index rows : batches) {
      for (const Homes& homes : all_homes(rows)) {
        Matrix own(range.count * rows, width);
        for (Index i = 0; i < range.count; ++i) {
          for (Index b = 0; b < rows; ++b) {
            for (Index h = 0; h < width; ++h) own.view()(i * rows + b, h) = value_of(range.first + i, b, h);
          }
        }
        Matrix all(homes.own().count, experts * width);
        side_by_side.begin_gather(homes);
        side_by_side.send(own.view());
        side_by_side.collect(own.view(), all.view());
        for (Index b = 0; b < homes.own().count; ++b) {
          for (Index i = 0; i < experts; ++i) {
            for (Index h = 0; h < width; ++h)
              EXPECT_EQ(all.view()(b, i * width + h), value_of(i, homes.own().first + b, h));
          }
        }
        side_by_side.scatter(all.view());
        EXPECT_TRUE(same_bits(side_by_side.arrived(), own.view())) << experts << " experts";
        side_by_side.finish();
      }
    }
  }
}

}  // namespace
}  // namespace dmoe::exchange
