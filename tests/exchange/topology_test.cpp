#include "exchange/topology.hpp"

#include <algorithm>

#include <gmock/gmock.h>

namespace dmoe::exchange {
namespace {

constexpr Index most_experts = 40;
constexpr Index most_ranks = 12;

/// Calls check(topology) for every number of experts and ranks.
template <class Check>
void for_every_topology(const Check& check) {
  for (Index experts = 1; experts <= most_experts; ++experts) {
    for (Index ranks = 1; ranks <= most_ranks; ++ranks) {
      SCOPED_TRACE(testing::Message() << experts << " experts on " << ranks << " ranks");
      check(Topology(experts, ranks));
    }
  }
}

TEST(Topology, splits_seven_on_three_as_drawn) {
  const Topology topology(7, 3);
  EXPECT_EQ(topology.range(0), (ExpertRange{0, 2}));
  EXPECT_EQ(topology.range(1), (ExpertRange{2, 2}));
  EXPECT_EQ(topology.range(2), (ExpertRange{4, 3}));
  EXPECT_THAT(topology.blocks(0), testing::ElementsAre(model::TreeBlock{0, 2}));
  EXPECT_THAT(topology.blocks(1), testing::ElementsAre(model::TreeBlock{2, 2}));
  EXPECT_THAT(topology.blocks(2), testing::ElementsAre(model::TreeBlock{4, 4}));
}

TEST(Topology, covers_every_expert_once_in_order_of_the_ranks) {
  for_every_topology([](const Topology& topology) {
    Index next = 0;
    for (Index rank = 0; rank < topology.ranks(); ++rank) {
      ASSERT_EQ(topology.range(rank).first, next);
      ASSERT_GE(topology.range(rank).count, 0);
      next = topology.range(rank).end();
    }
    ASSERT_EQ(next, topology.experts());
  });
}

TEST(Topology, differs_by_one_at_most_with_the_coordinator_among_those_with_fewer) {
  for_every_topology([](const Topology& topology) {
    Index fewest = topology.experts();
    Index most = 0;
    for (Index rank = 0; rank < topology.ranks(); ++rank) {
      fewest = std::min(fewest, topology.range(rank).count);
      most = std::max(most, topology.range(rank).count);
    }
    ASSERT_LE(most - fewest, 1);
    ASSERT_EQ(topology.range(0).count, fewest);
  });
}

TEST(Topology, knows_the_owner) {
  for_every_topology([](const Topology& topology) {
    for (Index rank = 0; rank < topology.ranks(); ++rank) {
      const ExpertRange range = topology.range(rank);
      for (Index expert = range.first; expert < range.end(); ++expert)
        ASSERT_EQ(topology.owner(expert), rank);
    }
  });
}

TEST(Topology, has_blocks_that_hold_every_expert_once) {
  for_every_topology([](const Topology& topology) {
    Index next = 0;
    for (Index rank = 0; rank < topology.ranks(); ++rank) {
      ASSERT_EQ(topology.blocks(rank).empty(), topology.range(rank).count == 0);
      for (const model::TreeBlock& block : topology.blocks(rank)) {
        ASSERT_EQ(block.first, next);
        next = std::min(block.first + block.width, topology.experts());
      }
      ASSERT_EQ(next, topology.range(rank).end());
    }
  });
}

}  // namespace
}  // namespace dmoe::exchange
