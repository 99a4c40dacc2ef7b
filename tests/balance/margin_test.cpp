#include "balance/margin.hpp"

#include <algorithm>
#include <cstdint>
#include <vector>

#include <gmock/gmock.h>

#include "core/random.hpp"

namespace dmoe::balance {
namespace {

using Mask = std::vector<std::uint8_t>;

constexpr Total one = Total{1} << 24;  // example

Mask masked(const Rule& rule, const std::vector<Total>& totals) {
  Mask mask(totals.size(), 7);  // every value is set, whatever was there
  rule.mask(totals, mask);
  return mask;
}

TEST(MarginRule, masks_experts_above_the_margin) {
  const Margin rule(10.0);
  EXPECT_EQ(masked(rule, {0, 0, 0, 0}), (Mask{0, 0, 0, 0}));
  // Mean 15: leads of 25, -15, -5, -5.
  EXPECT_EQ(masked(rule, {40 * one, 0, 10 * one, 10 * one}), (Mask{1, 0, 0, 0}));
  // Mean 20: leads of 20, 20, -20, -20.
  EXPECT_EQ(masked(rule, {40 * one, 40 * one, 0, 0}), (Mask{1, 1, 0, 0}));
  EXPECT_EQ(masked(Margin(20.0), {40 * one, 40 * one, 0, 0}), (Mask{0, 0, 0, 0}));
}

TEST(MarginRule, does_not_mask_exactly_at_the_margin_but_one_unit_above) {
  // Two experts: the lead over the mean is half the difference.
  const Margin rule(100.0);
  EXPECT_EQ(masked(rule, {200 * one, 0}), (Mask{0, 0}));
  EXPECT_EQ(masked(rule, {200 * one + 1, 0}), (Mask{1, 0}));
  // Three experts, where the mean is no integer: 3 G_0 - sum = 2 G_0 - G_1 - G_2 against 3 m.
  const Margin small(1.0);
  EXPECT_EQ(masked(small, {2 * one, one, 0}), (Mask{0, 0, 0}));
  EXPECT_EQ(masked(small, {2 * one, one - 1, 0}), (Mask{1, 0, 0}));
}

TEST(MarginRule, masks_any_lead_with_a_margin_of_zero) {
  const Margin rule(0.0);
  EXPECT_EQ(masked(rule, {5, 5, 5}), (Mask{0, 0, 0}));
  EXPECT_EQ(masked(rule, {6, 5, 5}), (Mask{1, 0, 0}));
}

TEST(MarginRule, decides_by_small_leads_of_huge_totals) {
  const Total huge = Total{1} << 61;
  const Margin rule(100.0);
  EXPECT_EQ(masked(rule, {huge, huge, huge, huge, huge, huge, huge, huge}), Mask(8, 0));
  EXPECT_EQ(masked(rule, {huge + 200 * one, huge, huge, huge, huge, huge, huge, huge}),
            (Mask{1, 0, 0, 0, 0, 0, 0, 0}));
  // Lead of expert 0: 7/8 of the difference, at most 100 examples.
  EXPECT_EQ(masked(rule, {huge + 114 * one, huge, huge, huge, huge, huge, huge, huge}), Mask(8, 0));
}

TEST(MarginRule, decides_where_n_times_a_total_overflows_64_bits) {
  std::vector<Total> totals(8, 0);
  totals[0] = Total{1} << 62;
  EXPECT_EQ(masked(Margin(100.0), totals), (Mask{1, 0, 0, 0, 0, 0, 0, 0}));
  // N m 2^24 beyond 64 bits, a lead far below.
  std::vector<Total> many(1000, 0);
  many[7] = one;
  EXPECT_EQ(masked(Margin(1e9), many), Mask(1000, 0));
}

TEST(MarginRule, never_masks_a_lone_expert) {
  EXPECT_EQ(masked(Margin(0.0), {0}), (Mask{0}));
  EXPECT_EQ(masked(Margin(0.0), {Total{1} << 60}), (Mask{0}));
}

TEST(MarginRule, never_masks_everybody) {
  RandomStream stream(0, Purpose::test, 0);
  const Margin rule(0.0);
  for (int round = 0; round < 10000; ++round) {
    std::vector<Total> totals;
    const Index experts = 1 + stream.below(9);
    for (Index i = 0; i < experts; ++i) totals.push_back(stream.below(round % 2 == 0 ? 3 : 1 << 30));
    const Mask mask = masked(rule, totals);
    ASSERT_THAT(mask, testing::Contains(0));
    // The one with the least is never masked.
    ASSERT_EQ(mask[size(std::ranges::min_element(totals) - totals.begin())], 0);
  }
}

TEST(MarginRule, rounds_its_margin_to_the_grid_of_the_totals) {
  const Margin rule(0x1p-24);  // one unit
  EXPECT_EQ(masked(rule, {2, 0}), (Mask{0, 0}));
  EXPECT_EQ(masked(rule, {3, 0}), (Mask{1, 0}));
}

TEST(MarginRule, is_made_from_its_settings) {
  Settings settings;
  settings.set("margin", 3.0);
  const auto rule = Margin::make(settings);
  EXPECT_TRUE(rule->is_active());
  EXPECT_EQ(masked(*rule, {6 * one, 0}), (Mask{0, 0}));
  EXPECT_EQ(masked(*rule, {6 * one + 1, 0}), (Mask{1, 0}));
  EXPECT_EQ(defaults(Margin::settings()).real("margin"), 100.0);
}

}  // namespace
}  // namespace dmoe::balance
