#include "training/balancing.hpp"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "core/error.hpp"
#include "distribution/sample_network.hpp"
#include "support/world.hpp"

namespace dmoe::training {
namespace {

using distribution::StepRequests;
using test::random_matrix;
using test::world;

constexpr Index inputs = 6;
constexpr Index rows = 9;
const model::NetworkSpec spec{inputs, 3, {{7, 4, 3}, {1, 5, 0, model::LayerKind::single}, {5, 4, 2}}};

PartSpec margin_of(double examples) {
  PartSpec rule{"margin", {}};
  rule.settings.set("margin", examples);
  return rule;
}

/// All experts under a margin, then two of them without a rule.
std::vector<PhaseSpec> phases() {
  PartSpec two{"top_k", {}};
  two.settings.set("k", Index{2});
  two.settings.set("value", std::string("renormalised"));
  two.settings.set("noise", 0.0);
  return {{"constrained", 1, margin_of(0.5), {}}, {"free", 1, {"none", {}}, {}, {two}}};
}

/// A network whose gates no rule has moved yet; step t gives it other rows.
struct Stepped {
  Stepped() { test::set_random_weights(network, 1, 0.7F); }
  void step(Index t, const StepRequests& mine = {}) {
    network.forward(random_matrix(rows, inputs, static_cast<std::uint64_t>(t)).view(), balancing.masks());
    balancing.start(mine);
    balancing.finish();
  }
  distribution::Network network{spec, world(), 0, rows};
  Balancing balancing{phases(), network};
};

void expect_state(const balance::Balancer::State& got, const balance::Balancer::State& expected) {
  EXPECT_EQ(got.totals, expected.totals);
  EXPECT_EQ(got.rule_totals, expected.rule_totals);
  EXPECT_EQ(got.masked_steps, expected.masked_steps);
}

TEST(Balancing, adds_what_every_step_assigned_and_masks_by_the_rule_of_the_phase) {
  Stepped stepped;
  distribution::AssignmentReduction reduction(stepped.network);  // of the same steps, by hand
  const auto margin = balance::rules().find("margin").make(margin_of(0.5).settings);
  const auto none = balance::rules().find("none").make({});
  std::vector<balance::Balancer> by_hand;
  for (const model::LayerSpec& layer : spec.layers) by_hand.emplace_back(layer.choices());
  Index masked = 0;
  for (Index t = 0; t < 8; ++t) {
    if (t == 0 || t == 5) {
      stepped.balancing.begin_phase(t == 0 ? 0 : 1);
      for (balance::Balancer& balancer : by_hand) balancer.begin_phase(*(t == 0 ? margin : none));
    }
    stepped.step(t);
    reduction.start({});
    reduction.finish();
    for (Index l = 0; l < spec.layer_count(); ++l) {
      by_hand[size(l)].add(reduction.assigned(l));
      expect_state(stepped.balancing.of(l).state(), by_hand[size(l)].state());
      EXPECT_TRUE(std::ranges::equal(stepped.balancing.masks()[size(l)], by_hand[size(l)].masked()));
      masked += std::ranges::count(by_hand[size(l)].masked(), 1);
    }
    EXPECT_EQ(stepped.network.expert_rows(2), rows * (t < 5 ? 5 : 2));
  }
  EXPECT_GT(masked, 0);
}

TEST(Balancing, goes_on_from_its_state) {
  Stepped whole;
  whole.balancing.begin_phase(0);
  for (Index t = 0; t < 4; ++t) whole.step(t);
  Stepped again;
  again.balancing.restore(whole.balancing.state(), 0);
  for (Index t = 4; t < 6; ++t) {
    whole.step(t);
    again.step(t);
  }
  for (Index l = 0; l < spec.layer_count(); ++l)
    expect_state(again.balancing.of(l).state(), whole.balancing.of(l).state());
}

TEST(Balancing, makes_rows_of_totals_and_of_the_steps_since) {
  Stepped stepped;
  stepped.balancing.begin_phase(0);
  for (Index t = 0; t < 3; ++t) stepped.step(t);
  const Balancing::MaskedSteps before = stepped.balancing.masked_steps();
  for (Index t = 3; t < 7; ++t) stepped.step(t);
  const Balancing::MaskedSteps after = stepped.balancing.masked_steps();
  const std::vector<AssignmentRow> made = stepped.balancing.rows(before, 4);
  ASSERT_EQ(made.size(), 3U);
  EXPECT_TRUE(made[1].totals.empty());
  for (std::size_t l = 0; l < 3; ++l) {
    const balance::Balancer& balancer = stepped.balancing.of(static_cast<Index>(l));
    ASSERT_EQ(made[l].totals.size(), balancer.totals().size());
    for (std::size_t i = 0; i < made[l].totals.size(); ++i) {
      EXPECT_EQ(made[l].totals[i], balance::to_examples(balancer.totals()[i]));
      EXPECT_DOUBLE_EQ(made[l].masked_fraction[i], static_cast<double>(after[l][i] - before[l][i]) / 4);
    }
  }
}

TEST(Balancing, tells_all_ranks_what_one_requests) {
  Stepped stepped;
  stepped.balancing.begin_phase(0);
  const StepRequests asked{.checkpoint = true};
  for (int asking = 0; asking < world().size(); ++asking) {
    stepped.step(asking, world().rank() == asking ? asked : StepRequests{});
    EXPECT_EQ(stepped.balancing.requests(), asked);
  }
}

TEST(Balancing, refuses_rules_and_routings_that_there_are_not) {
  distribution::Network network(spec, world(), 0, rows);
  std::vector<PhaseSpec> unknown = phases();
  unknown[1].rule.name = "auction";
  EXPECT_THROW(Balancing(unknown, network), InputError);
  std::vector<PhaseSpec> too_few = phases();
  too_few[0].routings = {phases()[1].routings[0], phases()[1].routings[0]};
  EXPECT_THROW(Balancing(too_few, network), InputError);
}

}  // namespace
}  // namespace dmoe::training
