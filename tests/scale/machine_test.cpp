#include "scale/machine.hpp"

#include <gtest/gtest.h>

#include "scale/step.hpp"

namespace dmoe::scale {
namespace {

TEST(ProductTable, is_exact_where_time_is_in_proportion_to_a_power_of_each_size) {
  // t = m n k / 1000
  const ProductTable table{{2, 8}, {4, 16}, {10}, {0.08, 0.32, 0.32, 1.28}};
  EXPECT_DOUBLE_EQ(table(2, 4, 10), 0.08);
  EXPECT_DOUBLE_EQ(table(8, 16, 10), 1.28);
  EXPECT_DOUBLE_EQ(table(4, 8, 10), 0.32);
  EXPECT_NEAR(table(3, 5, 10), 0.15, 1e-15);
}

TEST(ProductTable, goes_along_straight_lines_between_logarithms) {
  const ProductTable table{{1, 4}, {1}, {1}, {1, 9}};
  EXPECT_DOUBLE_EQ(table(2, 1, 1), 3);  // half the way from log 1 to log 9
}

TEST(ProductTable, takes_no_less_than_the_smallest_and_grows_with_what_is_beyond_the_largest) {
  const ProductTable table{{2, 8}, {4, 16}, {10}, {0.08, 0.32, 0.32, 1.28}};
  EXPECT_DOUBLE_EQ(table(1, 1, 1), 0.08);
  EXPECT_DOUBLE_EQ(table(16, 32, 30), 1.28 * 2 * 2 * 3);
  EXPECT_EQ(table(0, 4, 10), 0);
  EXPECT_EQ(table(2, 0, 10), 0);
}

TEST(Machine, has_the_inner_link_where_all_ranks_are_on_a_node) {
  Machine machine;
  machine.inner.latency = 1;
  machine.outer.latency = 2;
  EXPECT_EQ(machine.link_in_group(1000, 1000).latency, 1);
  EXPECT_EQ(machine.link_across(1000).latency, 1);
  machine.ranks_a_node = 8;
  EXPECT_EQ(machine.link_across(8).latency, 1);
  EXPECT_EQ(machine.link_across(9).latency, 2);
  EXPECT_EQ(machine.link_in_group(4, 64).latency, 1);  // two groups on each node
  EXPECT_EQ(machine.link_in_group(3, 63).latency, 2);  // the third one stands across
  EXPECT_EQ(machine.link_in_group(3, 6).latency, 1);
  EXPECT_EQ(machine.link_in_group(16, 64).latency, 2);
}

TEST(Link, has_two_constants_or_a_curve) {
  Link link{.latency = 1, .bandwidth = 4, .overhead = 0.5};
  EXPECT_DOUBLE_EQ(link.seconds(8, Direction::one_way), 3);
  EXPECT_DOUBLE_EQ(link.seconds(8, Direction::crossing), 3);
  link.sizes = {10, 20, 40};
  link.one_way = {1, 5, 6};
  link.crossing = {2, 6, 10};
  EXPECT_DOUBLE_EQ(link.seconds(1, Direction::one_way), 1);
  EXPECT_DOUBLE_EQ(link.seconds(15, Direction::one_way), 3);
  EXPECT_DOUBLE_EQ(link.seconds(20, Direction::one_way), 5);
  EXPECT_DOUBLE_EQ(link.seconds(60, Direction::one_way), 7);  // by the last slope, 1 / 20
  EXPECT_DOUBLE_EQ(link.seconds(60, Direction::crossing), 14);
}

TEST(Messages, wait_for_the_first_of_each_turn) {
  const Link link{.latency = 9,
                  .bandwidth = 9,
                  .overhead = 0.5,
                  .sizes = {10, 20},
                  .one_way = {1, 2},
                  .crossing = {3, 5}};
  const Messages messages(link);
  EXPECT_EQ(messages({}), 0);
  // Three of 10 bytes each arrive one behind the other: 1 + 20 / 10.
  EXPECT_DOUBLE_EQ(messages({.received = 30, .messages_received = 3}), 0.5 * 3 + 1 + 2);
  EXPECT_DOUBLE_EQ(messages({.sent = 30, .received = 10, .messages_sent = 3, .messages_received = 1}),
                   0.5 * 4 + 3 + 4);
  EXPECT_DOUBLE_EQ(messages({.sent = 30, .received = 30, .messages_sent = 3, .messages_received = 3}, 2),
                   3 + 6 + 2);
  EXPECT_DOUBLE_EQ(messages.broadcast(20, 8), 3 * (0.5 + 2));
}

TEST(DefaultMachine, has_a_time_for_all) {
  const Machine& machine = default_machine();
  for (const ProductTable* table : {&machine.forward, &machine.input_gradient, &machine.weight_gradient}) {
    ASSERT_EQ(table->seconds.size(), table->rows.size() * table->outputs.size() * table->inputs.size());
    for (const double seconds : table->seconds) EXPECT_TRUE(seconds > 1e-9 && seconds < 1) << seconds;
    EXPECT_GT((*table)(512, 100, 1296), 8 * (*table)(32, 100, 1296));
  }
  for (const Link* link : {&machine.inner, &machine.outer}) {
    EXPECT_TRUE(link->bandwidth > 1e8 && link->bandwidth < 1e12);
    EXPECT_TRUE(link->latency + link->overhead > 1e-8 && link->latency + link->overhead < 1e-3);
  }
}

}  // namespace
}  // namespace dmoe::scale
