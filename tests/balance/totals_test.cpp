#include "balance/totals.hpp"

#include <cmath>

#include <gtest/gtest.h>

#include "core/random.hpp"

namespace dmoe::balance {
namespace {

TEST(Totals, count_in_two_to_the_minus_24_of_an_example) {
  EXPECT_EQ(to_total(0.0F), 0);
  EXPECT_EQ(to_total(1.0F), Total{1} << 24);
  EXPECT_EQ(to_total(0.25F), Total{1} << 22);
  EXPECT_EQ(to_examples(Total{3} << 23), 1.5);
}

TEST(Totals, round_half_to_even) {
  EXPECT_EQ(to_total(0x1p-25F), 0);
  EXPECT_EQ(to_total(0x3p-25F), 2);
  EXPECT_EQ(to_total(0x5p-26F), 1);
}

TEST(Totals, lie_within_half_a_unit) {
  RandomStream stream(0, Purpose::test, 0);
  for (int i = 0; i < 1000; ++i) {
    const float gate = stream.uniform() * stream.uniform();
    EXPECT_LE(std::abs(to_examples(to_total(gate)) - static_cast<double>(gate)), 0x1p-25);
  }
}

}  // namespace
}  // namespace dmoe::balance
