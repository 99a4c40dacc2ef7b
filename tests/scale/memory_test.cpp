#include <gtest/gtest.h>

#include "scale/step.hpp"

namespace dmoe::scale {
namespace {

// Experts 2 x (2 x 3 + 2), gate 1 x 3 + 1 + 2 x 1 + 2, head 2 x 2 + 2: 30 values.
const model::NetworkSpec network{3, 2, {{2, 2, 1}}};

TEST(Memory, of_one_rank_is_what_its_parts_are) {
  const Workload work{network, 4, 1, {0}};
  const double parameters = 2 * 30;
  const double batch_and_head = 4 * 3 + 2 * 4 * 2;
  const double experts = 2 * 2 * 4 * 2 + 4 * 2;  // outputs and gradients of both; their sum
  const double shared = 4 * (2 * 2 + 2);         // z, dz, gates
  const double gate = 4 * (2 * 1 + 2 * 2);
  EXPECT_EQ(memory_of_first(work, {}), 4 * (parameters + batch_and_head + experts + shared + gate));
}

TEST(Memory, of_two_shards_is_the_coordinators_and_the_others) {
  const Workload work{network, 4, 1, {0}};
  const Layout shards{1, 2};
  const double arriving = 4 * 2 + 4 * (2 * 2 - 1);  // sums of z; dg as they come and side by side
  EXPECT_EQ(memory_of_first(work, shards),
            4 * (2 * (30 - 8) + 28 + (2 * 4 * 2 + 4 * 2) + 24 + 24 + arriving));
  EXPECT_EQ(memory_of_other(work, shards), 4 * (2 * 8 + 4 * 3 + (2 * 4 * 2 + 4 * 2) + 24));
}

TEST(Memory, of_replicas_has_what_others_send_and_a_share_of_the_velocity) {
  Workload work{network, 4, 2, {0}};
  const Layout replicas{2, 1};
  const Workload half{network, 2, 1, {0}};
  const double of_half = memory_of_first(half, {});
  EXPECT_EQ(memory_of_first(work, replicas), of_half + 4 * 15);
  work.has_momentum = true;
  EXPECT_EQ(memory_of_first(work, replicas), of_half + 4 * (15 + 15));
}

TEST(Memory, of_homes_does_not_grow_with_ranks_as_a_coordinator_does) {
  const auto growth = [](Gating gating) {
    const auto memory = [&](Index ranks) {
      const Workload work{{16, 4, {{4 * ranks, 32, 4}}}, 32 * ranks, 1, {2}};
      return memory_of_first(work, {1, ranks, gating});
    };
    return memory(64) / memory(8);
  };
  EXPECT_LT(growth(Gating::rows), growth(Gating::coordinator) / 2);
}

}  // namespace
}  // namespace dmoe::scale
