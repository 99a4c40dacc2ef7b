#include "calibration/calibration.hpp"

#include <gtest/gtest.h>

#include "scale/machine_file.hpp"
#include "support/world.hpp"

namespace dmoe::calibration {
namespace {

using test::world;

const Plan tiny{{1, 4}, {3}, {5, 64}, 1};

Measured measured_on(const std::vector<std::string>& hosts) {
  return measure(world(), hosts, "tiny", tiny);
}

/// As many hosts as ranks, the ranks from `first_other` on elsewhere.
std::vector<std::string> hosts(Index first_other) {
  std::vector<std::string> names;
  for (Index rank = 0; rank < world().size() && world().is_coordinator(); ++rank)
    names.emplace_back(rank < first_other ? "here" : "there");
  return names;
}

void expect_measured(const scale::Link& link) {
  EXPECT_NE(link, scale::default_machine().inner);
  EXPECT_GT(link.bandwidth, 1e6);
  EXPECT_GT(link.latency + link.overhead, 0);
  EXPECT_LT(link.latency + link.overhead, 1);
}

TEST(Measure, fills_in_every_constant_of_one_core) {
  const scale::Machine machine = measured_on(hosts(world().size())).machine;
  if (!world().is_coordinator()) return;
  for (const scale::ProductTable* table :
       {&machine.forward, &machine.input_gradient, &machine.weight_gradient}) {
    EXPECT_EQ(table->rows, tiny.rows);
    EXPECT_EQ(table->seconds.size(), 4U);
    for (const double seconds : table->seconds) EXPECT_TRUE(seconds > 0 && seconds < 1) << seconds;
  }
  EXPECT_GT(machine.memory_bandwidth, 1e7);
  for (const double cost : {machine.presenting, machine.softmax, machine.choosing, machine.planning})
    EXPECT_TRUE(cost > 0 && cost < 1e-3) << cost;
  EXPECT_NO_THROW(scale::parse_machine(scale::to_toml(machine), "written"));
}

TEST(Measure, measures_messages_between_the_ranks_that_there_are) {
  const Measured measured = measured_on(hosts(world().size()));
  if (!world().is_coordinator()) return;
  EXPECT_EQ(measured.has_inner, world().size() > 1);
  EXPECT_FALSE(measured.has_outer);
  EXPECT_EQ(measured.machine.ranks_a_node, 0);
  if (world().size() == 1) {
    EXPECT_EQ(measured.machine.inner, scale::default_machine().inner);
    return;
  }
  expect_measured(measured.machine.inner);
  EXPECT_EQ(measured.machine.outer, measured.machine.inner);
  EXPECT_GT(measured.all_reduce, 0);
}

TEST(Measure, measures_messages_to_another_host_apart) {
  if (world().size() < 2) return;
  const Index first_other = world().size() - 1;
  const Measured measured = measured_on(hosts(first_other));
  if (!world().is_coordinator()) return;
  EXPECT_TRUE(measured.has_outer);
  EXPECT_EQ(measured.has_inner, first_other > 1);  // else no two ranks are together
  EXPECT_EQ(measured.machine.ranks_a_node, first_other);
  expect_measured(measured.machine.outer);
}

}  // namespace
}  // namespace dmoe::calibration
