#include "balance/balancer.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <vector>

#include <gmock/gmock.h>

#include "balance/margin.hpp"
#include "balance/none.hpp"
#include "core/error.hpp"
#include "core/random.hpp"

namespace dmoe::balance {
namespace {

using testing::ElementsAre;

constexpr Total one = Total{1} << 24;  // example

TEST(Balancer, starts_with_nobody_masked) {
  Balancer balancer(3);
  const Margin margin(1.0);
  balancer.begin_phase(margin);
  EXPECT_THAT(balancer.masked(), ElementsAre(0, 0, 0));
  EXPECT_THAT(balancer.totals(), ElementsAre(0, 0, 0));
}

TEST(Balancer, masks_for_the_step_after_the_one_it_is_told_of) {
  Balancer balancer(2);
  const Margin margin(1.0);
  balancer.begin_phase(margin);
  balancer.add(std::vector<Total>{3 * one, 0});
  EXPECT_THAT(balancer.masked(), ElementsAre(1, 0));
  EXPECT_THAT(balancer.masked_steps(), ElementsAre(0, 0));
  balancer.add(std::vector<Total>{0, one});
  EXPECT_THAT(balancer.masked(), ElementsAre(0, 0));  // 3 and 1: exactly at the margin
  EXPECT_THAT(balancer.masked_steps(), ElementsAre(1, 0));
  balancer.add(std::vector<Total>{one, 0});
  EXPECT_THAT(balancer.masked_steps(), ElementsAre(1, 0));
  EXPECT_THAT(balancer.totals(), ElementsAre(4 * one, one));
}

TEST(Balancer, restarts_the_rules_totals_when_it_is_switched_on_after_it_was_off) {
  Balancer balancer(2);
  const Margin margin(1.0);
  const None none;
  balancer.begin_phase(none);
  balancer.add(std::vector<Total>{9 * one, 0});
  EXPECT_THAT(balancer.masked(), ElementsAre(0, 0));
  EXPECT_THAT(balancer.rule_totals(), ElementsAre(0, 0));  // not counted while it is off
  balancer.begin_phase(margin);
  EXPECT_THAT(balancer.masked(), ElementsAre(0, 0));
  EXPECT_THAT(balancer.rule_totals(), ElementsAre(0, 0));
  balancer.add(std::vector<Total>{3 * one, 0});
  EXPECT_THAT(balancer.masked(), ElementsAre(1, 0));

  balancer.begin_phase(none);
  EXPECT_THAT(balancer.masked(), ElementsAre(0, 0));
  balancer.begin_phase(margin);
  EXPECT_THAT(balancer.masked(), ElementsAre(0, 0));
  EXPECT_THAT(balancer.rule_totals(), ElementsAre(0, 0));
  EXPECT_THAT(balancer.totals(), ElementsAre(12 * one, 0));  // the stored ones go on
}

TEST(Balancer, keeps_the_rules_totals_from_one_active_phase_to_the_next) {
  Balancer balancer(2);
  const Margin wide(5.0);
  const Margin narrow_margin(1.0);
  balancer.begin_phase(wide);
  balancer.add(std::vector<Total>{4 * one, 0});
  EXPECT_THAT(balancer.masked(), ElementsAre(0, 0));
  balancer.begin_phase(narrow_margin);
  EXPECT_THAT(balancer.masked(), ElementsAre(1, 0));
  EXPECT_THAT(balancer.rule_totals(), ElementsAre(4 * one, 0));
}

TEST(Balancer, refuses_a_rule_that_masks_everybody) {
  class Everybody : public Rule {
   public:
    void mask(std::span<const Total> /*totals*/, std::span<std::uint8_t> masked) const override {
      std::ranges::fill(masked, std::uint8_t{1});
    }
  };
  const Everybody everybody;
  Balancer balancer(4);
  EXPECT_THROW(balancer.begin_phase(everybody), InputError);
}

/// g' of one example: random, 0 where masked, renormalised.
std::vector<float> random_gates(RandomStream& stream, std::span<const std::uint8_t> masked) {
  std::vector<float> gates;
  for (const std::uint8_t is_masked : masked) {
    const float u = stream.uniform();
    gates.push_back(is_masked != 0 ? 0.0F : 1e-6F + std::exp(9.0F * u * u));
  }
  const float sum = std::accumulate(gates.begin(), gates.end(), 0.0F);
  for (float& gate : gates) gate /= sum;
  return gates;
}

/// Trains nothing: feeds a balancer with random gates, the first experts much liked, and checks the
/// invariants of RECIPE.md after every step.
void check_invariants(Index experts, Index batch, double margin_examples, int steps) {
  Balancer balancer(experts);
  const Margin margin(margin_examples);
  balancer.begin_phase(margin);
  RandomStream stream(0, Purpose::test, static_cast<std::uint64_t>(experts));
  const auto n = static_cast<double>(experts);
  for (int step = 1; step <= steps; ++step) {
    std::vector<Total> assigned(size(experts));
    for (Index b = 0; b < batch; ++b) {
      std::vector<float> gates = random_gates(stream, balancer.masked());
      if (balancer.masked()[0] == 0 && step % 3 != 0) {  // expert 0 takes nearly all where it may
        std::ranges::fill(gates, 0.0F);
        gates[0] = 1.0F;
      }
      for (std::size_t i = 0; i < gates.size(); ++i) assigned[i] += to_total(gates[i]);
    }
    balancer.add(assigned);
    const double examples = static_cast<double>(step) * static_cast<double>(batch);
    const double slack = examples * n * 0x1p-23;
    Total sum = 0;
    for (const Total total : balancer.totals()) sum += total;
    ASSERT_LE(std::abs(to_examples(sum) - examples), slack);
    for (const Total total : balancer.totals()) {
      const double lead = to_examples(total) - to_examples(sum) / n;
      ASSERT_LE(lead, margin_examples + static_cast<double>(batch) * (1 - 1 / n) + slack);
    }
    ASSERT_THAT(balancer.masked(), testing::Contains(0));
  }
  if (experts > 1) {
    EXPECT_GT(balancer.masked_steps()[0], 0);
  }
}

TEST(Balancer, keeps_the_invariants_of_the_totals) {
  check_invariants(1, 20, 5.0, 200);
  check_invariants(2, 20, 5.0, 1000);
  check_invariants(4, 100, 100.0, 1000);
  check_invariants(7, 16, 1.0, 1000);
  check_invariants(16, 30, 0.0, 500);
}

}  // namespace
}  // namespace dmoe::balance
