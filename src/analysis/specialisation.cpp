#include "analysis/specialisation.hpp"

#include <algorithm>
#include <array>
#include <numeric>
#include <span>

#include "analysis/dealt.hpp"
#include "comm/together.hpp"

namespace dmoe::analysis {

namespace {

using Levels = std::span<const std::int32_t>;  // of one factor (X)

/// 1 for the expert with the largest gate of each example (the first of equals), 0 for the others.
Gates hard_choices(const Gates& gates) {
  Gates choices(gates.experts());
  for (Index x = 0; x < gates.examples(); ++x) {
    const std::array<Gates::Entry, 1> row{{{static_cast<std::int32_t>(gates.largest(x)), 1}}};
    choices.append(row);
  }
  return choices;
}

/// (N, F): the weights of the examples of each level, added up; example x has the level of order[x].
std::vector<double> joint_of(const Gates& weights, Levels levels, std::span<const Index> order,
                             Index level_count) {
  std::vector<double> joint(size(weights.experts() * level_count));
  for (Index x = 0; x < weights.examples(); ++x) {
    double* const level = joint.data() + levels[size(order[size(x)])];
    for (const Gates::Entry& entry : weights.of(x))
      level[entry.expert * level_count] += static_cast<double>(entry.value);
  }
  return joint;
}

std::vector<double> column_means(const Gates& gates) {
  std::vector<double> means(size(gates.experts()));
  for (const Gates::Entry& entry : gates.entries())
    means[size(entry.expert)] += static_cast<double>(entry.value);
  for (double& mean : means) mean /= static_cast<double>(gates.examples());
  return means;
}

Information entropy_of(const Gates& gates, Index example) {
  std::vector<double> weights;
  for (const Gates::Entry& entry : gates.of(example)) weights.push_back(static_cast<double>(entry.value));
  return entropy(weights, gates.experts());
}

/// As fill_in() has them.
using Numbers = std::vector<double>;

void put(Numbers& numbers, std::size_t place, const Information& information) {
  numbers[2 * place] = information.nats;
  numbers[2 * place + 1] = information.normalized;
}

Information at(const Numbers& numbers, std::size_t place) {
  return {numbers[2 * place], numbers[2 * place + 1]};
}

/// What many ranks measure of the layers, each a part of it.
class Measures {
 public:
  Measures(const Assignments& assignments, const Permutations& permutations, const comm::Communicator& ranks)
      : assignments_(assignments), permutations_(permutations), ranks_(ranks) {
    comm::together(ranks_, [&] {
      for (const Gates& gates : assignments_.gates)
        hard_.push_back(gates.experts() > 0 ? hard_choices(gates) : Gates(0));
      measure_entropies();
      measure_null();
    });
    for (Numbers& entropies : entropies_) fill_in(ranks_, std::span(entropies));
    fill_in(ranks_, std::span(null_));
  }

  /// Of a layer with a gate, on any rank.
  LayerSpecialisation of_layer(std::size_t l) const {
    const Gates& gates = assignments_.gates[l];
    LayerSpecialisation layer;
    layer.mean_gate = column_means(gates);
    layer.balance = entropy(layer.mean_gate, gates.experts());
    const auto examples = static_cast<double>(gates.examples());
    for (Index x = 0; x < gates.examples(); ++x) {
      const Information one = at(entropies_[l], size(x));
      layer.openness.nats += one.nats / examples;
      layer.openness.normalized += one.normalized / examples;
    }
    for (std::size_t f = 0; f < assignments_.factors.size(); ++f) layer.factors.push_back(map_of(l, f));
    return layer;
  }

 private:
  Index layers() const { return static_cast<Index>(assignments_.gates.size()); }
  Index level_count(std::size_t f) const { return assignments_.factors[f].level_count(); }
  bool is_gated(std::size_t l) const { return assignments_.gates[l].experts() > 0; }

  /// Where null_ has a shuffle: kind 0 is soft, 1 is hard.
  std::size_t place(std::size_t f, Index shuffle, std::size_t l, std::size_t kind) const {
    return size(((static_cast<Index>(f) * permutations_.count + shuffle) * layers() + static_cast<Index>(l)) *
                    2 +
                static_cast<Index>(kind));
  }

  std::vector<Index> shuffled_examples(std::size_t f, Index shuffle) const {
    const auto number = static_cast<std::uint64_t>(static_cast<Index>(f) * permutations_.count + shuffle);
    const auto count = static_cast<Index>(assignments_.levels[f].size());
    if (!assignments_.groups.empty())
      return shuffled_groups(assignments_.groups, count, permutations_.seed, number);
    std::vector<Index> order;
    shuffled(count, {permutations_.seed, Purpose::permutation, number}, order);
    return order;
  }

  Information information(const Gates& weights, std::size_t f, std::span<const Index> order) const {
    return mutual_information(joint_of(weights, assignments_.levels[f], order, level_count(f)),
                              weights.experts());
  }

  void measure_entropies() {
    for (const Gates& gates : assignments_.gates) {
      Numbers& entropies = entropies_.emplace_back();
      if (gates.experts() == 0) continue;
      entropies.resize(2 * size(gates.examples()));
      for (Index x = 0; x < gates.examples(); ++x)
        if (is_dealt(ranks_, x)) put(entropies, size(x), entropy_of(gates, x));
    }
  }

  void measure_null() {
    const std::size_t factors = assignments_.factors.size();
    null_.resize(4 * factors * size(permutations_.count * layers()));
    for (std::size_t f = 0; f < factors; ++f) {
      for (Index r = 0; r < permutations_.count; ++r) {
        if (!is_dealt(ranks_, r)) continue;
        const std::vector<Index> order = shuffled_examples(f, r);
        for (std::size_t l = 0; l < assignments_.gates.size(); ++l) {
          if (!is_gated(l)) continue;
          put(null_, place(f, r, l, 0), information(assignments_.gates[l], f, order));
          put(null_, place(f, r, l, 1), information(hard_[l], f, order));
        }
      }
    }
  }

  FactorMap map_of(std::size_t l, std::size_t f) const {
    const data::Factor& factor = assignments_.factors[f];
    const Levels levels = assignments_.levels[f];
    std::vector<double> examples(size(level_count(f)));
    for (const std::int32_t level : levels) examples[size(level)] += 1;
    std::vector<Index> as_they_are(levels.size());
    std::iota(as_they_are.begin(), as_they_are.end(), Index{0});
    FactorMap map;
    map.factor = factor.name;
    map.levels = factor.levels;
    map.axes = factor.axes;
    map.names = factor.names;
    const std::vector<double> soft = joint_of(assignments_.gates[l], levels, as_they_are, level_count(f));
    for (std::size_t i = 0; i < soft.size(); ++i)
      map.mean_gate.push_back(soft[i] / examples[i % examples.size()]);
    map.soft.observed = mutual_information(soft, assignments_.gates[l].experts());
    map.hard.observed = information(hard_[l], f, as_they_are);
    for (Index r = 0; r < permutations_.count; ++r) {
      map.soft.null.push_back(at(null_, place(f, r, l, 0)));
      map.hard.null.push_back(at(null_, place(f, r, l, 1)));
    }
    return map;
  }

  const Assignments& assignments_;
  const Permutations& permutations_;
  const comm::Communicator& ranks_;
  std::vector<Gates> hard_;         // of each layer
  std::vector<Numbers> entropies_;  // of each layer (X, 2)
  Numbers null_;                    // at place(), 2 each
};

}  // namespace

double TestedInformation::p_value() const {
  const auto reached = std::count_if(null.begin(), null.end(), [this](const Information& by_chance) {
    return by_chance.nats >= observed.nats;
  });
  return (1.0 + static_cast<double>(reached)) / (1.0 + static_cast<double>(null.size()));
}

bool LayerSpecialisation::is_dead(std::size_t expert) const {
  return mean_gate[expert] * static_cast<double>(mean_gate.size()) < dead_share;
}

std::vector<Index> shuffled_groups(const std::vector<Index>& groups, Index examples, std::uint64_t seed,
                                   std::uint64_t index) {
  const auto end_of = [&](std::size_t g) { return g + 1 < groups.size() ? groups[g + 1] : examples; };
  std::vector<Index> other;
  shuffled(static_cast<Index>(groups.size()), {seed, Purpose::permutation, index}, other);
  RandomStream places(seed, Purpose::permutation_place, index);
  std::vector<Index> order;
  for (std::size_t g = 0; g < groups.size(); ++g) {
    const std::size_t from = size(other[g]);
    const Index length = end_of(from) - groups[from];
    const Index place = places.below(length);
    for (Index i = 0; i < end_of(g) - groups[g]; ++i) order.push_back(groups[from] + (place + i) % length);
  }
  return order;
}

std::vector<LayerSpecialisation> specialisation(const Assignments& assignments,
                                                const Permutations& permutations,
                                                const comm::Communicator& ranks) {
  const Measures measures(assignments, permutations, ranks);
  std::vector<LayerSpecialisation> layers;
  comm::together(ranks, [&] {
    if (!ranks.is_coordinator()) return;
    for (std::size_t l = 0; l < assignments.gates.size(); ++l)
      layers.push_back(assignments.gates[l].experts() > 0 ? measures.of_layer(l) : LayerSpecialisation{});
  });
  return layers;
}

}  // namespace dmoe::analysis
