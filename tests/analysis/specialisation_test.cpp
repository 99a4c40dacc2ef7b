#include "analysis/specialisation.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "analysis/tiny.hpp"
#include "support/world.hpp"

namespace dmoe::analysis {
namespace {

using dmoe::test::world;
using test::examples;
using test::gates_of;
using test::spec;
using test::TinyDataset;

const comm::Communicator& alone() {
  static const comm::Communicator twin = comm::Communicator::local();
  return twin;
}

/// What the tiny network is measured as; without layers on ranks other than the coordinator. Collective.
std::vector<LayerSpecialisation> measured(Index batch_size, const Permutations& permutations = {5, 1}) {
  distribution::Network network(spec, world(), 3, batch_size);
  const TinyDataset dataset;
  const auto assignments =
      collect(network, dataset, {data::Split::test, {}, batch_size}, [] { return false; });
  return specialisation(assignments.value(), permutations, world());
}

TEST(Specialisation, means_are_those_of_a_naive_loop) {
  const std::vector<LayerSpecialisation> found =
      measured(16);  // 50 examples in batches of 16: the last has 2
  for (std::size_t l = 0; l < found.size(); ++l) {
    const auto gates = gates_of(static_cast<Index>(l));
    const std::size_t experts = gates.front().size();
    ASSERT_EQ(found[l].mean_gate.size(), experts);
    for (std::size_t e = 0; e < experts; ++e) {
      double mean = 0;
      for (const auto& row : gates) mean += static_cast<double>(row[e]) / examples;
      EXPECT_NEAR(found[l].mean_gate[e], mean, 1e-12);
      for (std::size_t f = 0; f < 2; ++f) {
        const std::size_t levels = f == 0 ? 3 : 4;
        for (std::size_t level = 0; level < levels; ++level) {
          double sum = 0;
          double count = 0;
          for (Index i = 0; i < examples; ++i) {
            const std::int32_t is = f == 0 ? TinyDataset::class_of(i) : TinyDataset::place_of(i);
            if (is != static_cast<std::int32_t>(level)) continue;
            sum += static_cast<double>(gates[size(i)][e]);
            count += 1;
          }
          const double value = found[l].factors[f].mean_gate[e * levels + level];
          if (count == 0) {
            EXPECT_TRUE(std::isnan(value));
          } else {
            EXPECT_NEAR(value, sum / count, 1e-12) << "layer " << l << " expert " << e << " level " << level;
          }
        }
      }
    }
  }
}

TEST(Specialisation, names_factors_and_their_axes) {
  for (const LayerSpecialisation& layer : measured(50)) {
    ASSERT_EQ(layer.factors.size(), 2U);
    EXPECT_EQ(layer.factors[0].factor, "class");
    EXPECT_EQ(layer.factors[1].factor, "place");
    EXPECT_EQ(layer.factors[1].levels, (std::vector<Index>{2, 2}));
    EXPECT_EQ(layer.factors[1].axes, (std::vector<std::string>{"row", "column"}));
  }
}

TEST(Specialisation, information_is_that_of_the_joint_distribution) {
  const std::vector<LayerSpecialisation> found = measured(16);
  for (std::size_t l = 0; l < found.size(); ++l) {
    const auto gates = gates_of(static_cast<Index>(l));
    const std::size_t experts = gates.front().size();
    std::vector<double> soft(experts * 3);
    std::vector<double> hard(experts * 3);
    for (Index i = 0; i < examples; ++i) {
      const auto& row = gates[size(i)];
      std::size_t largest = 0;
      for (std::size_t e = 0; e < experts; ++e) {
        soft[e * 3 + size(i % 3)] += static_cast<double>(row[e]) / examples;
        if (row[e] > row[largest]) largest = e;
      }
      hard[largest * 3 + size(i % 3)] += 1.0 / examples;
    }
    const FactorMap& by_class = found[l].factors[0];
    EXPECT_NEAR(by_class.soft.observed.nats, mutual_information(soft, static_cast<Index>(experts)).nats,
                1e-12);
    EXPECT_NEAR(by_class.hard.observed.nats, mutual_information(hard, static_cast<Index>(experts)).nats,
                1e-12);
    EXPECT_GT(by_class.hard.observed.nats, by_class.soft.observed.nats);
  }
}

TEST(Specialisation, null_is_the_information_with_shuffled_levels) {
  const Permutations permutations{7, 9};
  const std::vector<LayerSpecialisation> found = measured(16, permutations);
  for (std::size_t l = 0; l < found.size(); ++l) {
    const auto gates = gates_of(static_cast<Index>(l));
    const std::size_t experts = gates.front().size();
    for (std::size_t f = 0; f < 2; ++f) {
      const std::size_t levels = f == 0 ? 3 : 4;
      const FactorMap& map = found[l].factors[f];
      ASSERT_EQ(map.soft.null.size(), 7U);
      ASSERT_EQ(map.hard.null.size(), 7U);
      for (std::size_t r = 0; r < 7; ++r) {
        std::vector<Index> order;
        shuffled(examples, {9, Purpose::permutation, f * 7 + r}, order);
        std::vector<double> soft(experts * levels);
        std::vector<double> hard(experts * levels);
        for (std::size_t i = 0; i < gates.size(); ++i) {
          const std::int32_t is = f == 0 ? TinyDataset::class_of(order[i]) : TinyDataset::place_of(order[i]);
          std::size_t largest = 0;
          for (std::size_t e = 0; e < experts; ++e) {
            soft[e * levels + size(is)] += static_cast<double>(gates[i][e]);
            if (gates[i][e] > gates[i][largest]) largest = e;
          }
          hard[largest * levels + size(is)] += 1;
        }
        const auto count = static_cast<Index>(experts);
        EXPECT_NEAR(map.soft.null[r].nats, mutual_information(soft, count).nats, 1e-12);
        EXPECT_NEAR(map.hard.null[r].nats, mutual_information(hard, count).nats, 1e-12);
      }
      EXPECT_NE(map.soft.null[0], map.soft.null[1]);
    }
  }
}

TEST(Specialisation, p_value_counts_what_chance_reaches) {
  const Information small{0.1, 0.1};
  const Information middle{0.2, 0.2};
  const Information large{0.3, 0.3};
  EXPECT_DOUBLE_EQ((TestedInformation{middle, {small, small, small}}.p_value()), 1.0 / 4);
  EXPECT_DOUBLE_EQ((TestedInformation{middle, {small, middle, large}}.p_value()), 3.0 / 4);
  EXPECT_DOUBLE_EQ((TestedInformation{small, {large, large, large}}.p_value()), 1.0);
}

TEST(Specialisation, entropies_are_of_the_mean_and_the_mean_of) {
  const std::vector<LayerSpecialisation> found = measured(16);
  for (std::size_t l = 0; l < found.size(); ++l) {
    const auto gates = gates_of(static_cast<Index>(l));
    const auto experts = static_cast<double>(gates.front().size());
    double of_mean = 0;
    double mean_of = 0;
    for (const double g : found[l].mean_gate) of_mean -= g * std::log(g);
    for (const auto& row : gates) {
      for (const float g : row)
        mean_of -= static_cast<double>(g) * std::log(static_cast<double>(g)) / examples;
    }
    EXPECT_NEAR(found[l].balance.nats, of_mean, 1e-6);
    EXPECT_NEAR(found[l].openness.nats, mean_of, 1e-6);
    EXPECT_NEAR(found[l].openness.normalized, mean_of / std::log(experts), 1e-6);
    EXPECT_LT(found[l].openness.nats, found[l].balance.nats);
  }
}

TEST(Specialisation, expert_without_a_hundredth_of_its_share_is_dead) {
  LayerSpecialisation layer;
  layer.mean_gate = {0.5, 0.0024, 0.0026, 0.495};
  EXPECT_FALSE(layer.is_dead(0));
  EXPECT_TRUE(layer.is_dead(1));
  EXPECT_FALSE(layer.is_dead(2));
}

TEST(ShuffledGroups, of_one_example_each_are_a_permutation) {
  std::vector<Index> first(40);
  std::iota(first.begin(), first.end(), Index{0});
  std::vector<Index> expected;
  shuffled(40, {5, Purpose::permutation, 3}, expected);
  EXPECT_EQ(shuffled_groups(first, 40, 5, 3), expected);
}

TEST(ShuffledGroups, get_the_levels_of_one_other_group_each_in_their_order) {
  const std::vector<Index> first{0, 3, 4, 9};
  const std::vector<Index> lengths{3, 1, 5, 2};
  std::set<Index> places;
  for (std::uint64_t index = 0; index < 200; ++index) {
    const std::vector<Index> order = shuffled_groups(first, 11, 1, index);
    ASSERT_EQ(order.size(), 11U);
    std::set<std::ptrdiff_t> others;
    for (std::size_t g = 0; g < first.size(); ++g) {
      const auto group_of = [&](Index x) {
        return std::upper_bound(first.begin(), first.end(), x) - first.begin() - 1;
      };
      const std::ptrdiff_t other = group_of(order[size(first[g])]);
      const Index begin = first[size(other)];
      const Index length = lengths[size(other)];
      others.insert(other);
      for (Index i = 0; i + 1 < lengths[g]; ++i) {
        const Index here = order[size(first[g] + i)];
        EXPECT_EQ(order[size(first[g] + i + 1)], begin + (here - begin + 1) % length);
      }
      if (other == 2) places.insert(order[size(first[g])] - begin);
    }
    EXPECT_EQ(others.size(), 4U);
  }
  EXPECT_EQ(places.size(), 5U);
}

/// Frames of 30 utterances whose gates drift slowly and jump at each utterance, and coins thrown per
/// utterance.
Assignments spoken_coins(std::uint64_t seed) {
  constexpr Index utterances = 30;
  constexpr Index length = 50;
  Assignments found{{}, {{"coin", {2}, {"coin"}}}, {{}}, {}};
  Matrix gates(utterances * length, 2);
  RandomStream stream(seed, Purpose::test, 0);
  for (Index u = 0; u < utterances; ++u) {
    found.groups.push_back(u * length);
    const float gate = stream.uniform();
    const auto coin = static_cast<std::int32_t>(stream.below(2));
    for (Index t = 0; t < length; ++t) {
      gates.view().row(u * length + t)[0] = 0.9F * gate + 0.1F * stream.uniform();
      gates.view().row(u * length + t)[1] = 1 - gates.view().row(u * length + t)[0];
      found.levels[0].push_back(coin);
    }
  }
  found.gates.emplace_back(std::as_const(gates).view());
  return found;
}

TEST(Specialisation, of_a_coin_thrown_per_utterance_is_chance) {
  int surprises = 0;        // p <= .05
  int naive_surprises = 0;  // where every frame counts for itself
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    Assignments coins = spoken_coins(seed);
    const auto p_value = [&] {
      return specialisation(coins, {99, seed}, alone())[0].factors[0].soft.p_value();
    };
    surprises += p_value() <= 0.05 ? 1 : 0;
    coins.groups.clear();
    naive_surprises += p_value() <= 0.05 ? 1 : 0;
  }
  EXPECT_LE(surprises, 6);  // of 40; 2 expected
  EXPECT_GE(naive_surprises, 25);
}

TEST(Specialisation, counts_ties_for_the_first_expert) {
  Assignments equal{{}, {{"class", {3}, {"class"}}}, {{0, 1, 2, 0, 1, 1}}, {}};
  Matrix gates(6, 4);
  for (float& gate : gates.values()) gate = 0.25F;
  equal.gates.emplace_back(std::as_const(gates).view());
  const LayerSpecialisation layer = specialisation(equal, {}, alone()).front();
  EXPECT_EQ(layer.factors[0].hard.observed.nats, 0);  // always the same expert: its choice tells nothing
  for (const double mean : layer.mean_gate) EXPECT_EQ(mean, 0.25);
}

TEST(Assignments, are_those_of_all_examples_on_every_rank_of_every_replica) {
  const Index ranks = world().size();
  for (Index replicas = 1; replicas <= ranks; ++replicas) {
    if (ranks % replicas != 0) continue;
    // 50 examples in batches of 8: the last round leaves replicas without one
    const exchange::Grid grid(world(), replicas, {8, replicas});
    distribution::Network network(spec, grid, 3, 8);
    const auto found =
        collect(network, TinyDataset(), {data::Split::test, {}, 8}, [] { return false; }).value();
    for (std::size_t l = 0; l < 2; ++l) {
      ASSERT_EQ(found.gates[l].examples(), examples);
      const auto expected = gates_of(static_cast<Index>(l));
      for (Index x = 0; x < examples; ++x) {
        ASSERT_EQ(found.gates[l].of(x).size(), expected[size(x)].size());
        for (const Gates::Entry& entry : found.gates[l].of(x))
          EXPECT_EQ(entry.value, expected[size(x)][size(entry.expert)]) << x << " " << replicas;
      }
    }
    for (Index x = 0; x < examples; ++x) {
      EXPECT_EQ(found.levels[0][size(x)], TinyDataset::class_of(x));
      EXPECT_EQ(found.levels[1][size(x)], TinyDataset::place_of(x));
    }
  }
}

TEST(Assignments, are_nothing_where_one_rank_is_told_to_stop) {
  distribution::Network network(spec, world(), 3, 16);
  const TinyDataset dataset;
  int asked = 0;
  const auto stop = [&] { return ++asked == 3 && world().rank() == world().size() - 1; };
  EXPECT_FALSE(collect(network, dataset, {data::Split::test, {}, 16}, stop).has_value());
  EXPECT_EQ(asked, 3);
}

}  // namespace
}  // namespace dmoe::analysis
