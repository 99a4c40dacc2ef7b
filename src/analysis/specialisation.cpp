#include "analysis/specialisation.hpp"

#include <algorithm>
#include <numeric>
#include <span>

namespace dmoe::analysis {

namespace {

using Levels = std::span<const std::int32_t>;  // of one factor (X)

/// (X, N): 1 at the largest gate (the first of equals), 0 elsewhere.
Matrix hard_choices(const Matrix& gates) {
  Matrix choices(gates.rows(), gates.columns());
  if (gates.columns() == 0) return choices;
  for (Index x = 0; x < gates.rows(); ++x) {
    const auto row = gates.view().row(x);
    choices.view().row(x)[size(std::max_element(row.begin(), row.end()) - row.begin())] = 1;
  }
  return choices;
}

/// (N, F): the weights (X, N) of the examples of each level, added up; example x has the level of order[x].
std::vector<double> joint_of(const Matrix& weights, Levels levels, std::span<const Index> order,
                             Index level_count) {
  std::vector<double> joint(size(weights.columns() * level_count));
  for (Index x = 0; x < weights.rows(); ++x) {
    const auto row = weights.view().row(x);
    double* const level = joint.data() + levels[size(order[size(x)])];
    for (std::size_t e = 0; e < row.size(); ++e) level[e * size(level_count)] += static_cast<double>(row[e]);
  }
  return joint;
}

std::vector<double> column_means(const Matrix& matrix) {
  std::vector<double> means(size(matrix.columns()));
  for (Index x = 0; x < matrix.rows(); ++x) {
    const auto row = matrix.view().row(x);
    for (std::size_t e = 0; e < means.size(); ++e) means[e] += static_cast<double>(row[e]);
  }
  for (double& mean : means) mean /= static_cast<double>(matrix.rows());
  return means;
}

Information mean_entropy(const Matrix& gates) {
  Information mean;
  for (Index x = 0; x < gates.rows(); ++x) {
    const auto row = gates.view().row(x);
    const Information one = entropy(std::vector<double>(row.begin(), row.end()));
    mean.nats += one.nats / static_cast<double>(gates.rows());
    mean.normalized += one.normalized / static_cast<double>(gates.rows());
  }
  return mean;
}

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
                                                const Permutations& permutations) {
  std::vector<LayerSpecialisation> layers;
  std::vector<Matrix> hard;
  for (const Matrix& gates : assignments.gates) {
    hard.push_back(hard_choices(gates));
    LayerSpecialisation& layer = layers.emplace_back();
    layer.mean_gate = column_means(gates);
    layer.balance = entropy(layer.mean_gate);
    layer.openness = mean_entropy(gates);
  }
  std::vector<Index> order;
  for (std::size_t f = 0; f < assignments.factors.size(); ++f) {
    const data::Factor& factor = assignments.factors[f];
    const Levels levels = assignments.levels[f];
    const Index level_count = factor.level_count();
    std::vector<double> examples(size(level_count));
    for (const std::int32_t level : levels) examples[size(level)] += 1;
    const auto information_of = [&](const Matrix& weights) {
      return mutual_information(joint_of(weights, levels, order, level_count), weights.columns());
    };
    order.resize(levels.size());
    std::iota(order.begin(), order.end(), Index{0});
    for (std::size_t l = 0; l < layers.size(); ++l) {
      if (layers[l].is_empty()) continue;
      FactorMap& map = layers[l].factors.emplace_back();
      map.factor = factor.name;
      map.levels = factor.levels;
      map.axes = factor.axes;
      map.names = factor.names;
      const std::vector<double> soft = joint_of(assignments.gates[l], levels, order, level_count);
      for (std::size_t i = 0; i < soft.size(); ++i) {
        map.mean_gate.push_back(soft[i] / examples[i % examples.size()]);
      }
      map.soft.observed = mutual_information(soft, assignments.gates[l].columns());
      map.hard.observed = information_of(hard[l]);
    }
    for (Index r = 0; r < permutations.count; ++r) {
      const auto number = static_cast<std::uint64_t>(static_cast<Index>(f) * permutations.count + r);
      const auto count = static_cast<Index>(levels.size());
      if (assignments.groups.empty()) {
        shuffled(count, {permutations.seed, Purpose::permutation, number}, order);
      } else {
        order = shuffled_groups(assignments.groups, count, permutations.seed, number);
      }
      for (std::size_t l = 0; l < layers.size(); ++l) {
        if (layers[l].is_empty()) continue;
        layers[l].factors[f].soft.null.push_back(information_of(assignments.gates[l]));
        layers[l].factors[f].hard.null.push_back(information_of(hard[l]));
      }
    }
  }
  return layers;
}

}  // namespace dmoe::analysis
