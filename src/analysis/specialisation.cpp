#include "analysis/specialisation.hpp"

#include <algorithm>
#include <span>

namespace dmoe::analysis {

namespace {

std::string name_of(data::Split split) {
  switch (split) {
    case data::Split::train:
      return "train";
    case data::Split::validation:
      return "validation";
    case data::Split::test:
      break;
  }
  return "test";
}

/// The sums over examples behind one FactorMap.
struct FactorSums {
  FactorSums(Index experts, Index levels)
      : soft(size(experts * levels)), hard(size(experts * levels)), examples(size(levels)) {}
  std::vector<double> soft;      // (N, F): gates
  std::vector<double> hard;      // (N, F): examples by their largest gate
  std::vector<double> examples;  // (F)
};

/// The sums over examples of one layer against all factors.
class LayerSums {
 public:
  LayerSums(Index experts, const std::vector<data::Factor>& factors) : gate_(size(experts)) {
    for (const data::Factor& factor : factors) factors_.emplace_back(experts, factor.level_count());
  }

  /// Adds a batch; gates (B, N).
  void add(ConstMatrixView gates, const data::Batch& batch) {
    for (Index b = 0; b < gates.rows; ++b) {
      const std::span<const float> row = gates.row(b);
      const auto largest = static_cast<std::size_t>(std::max_element(row.begin(), row.end()) - row.begin());
      for (std::size_t e = 0; e < row.size(); ++e) gate_[e] += static_cast<double>(row[e]);
      for (std::size_t f = 0; f < factors_.size(); ++f) {
        add_level(factors_[f], static_cast<std::size_t>(batch.factor(f)[size(b)]), row, largest);
      }
    }
  }

  LayerSpecialisation means(const std::vector<data::Factor>& factors, Index examples) const {
    const auto experts = static_cast<Index>(gate_.size());
    LayerSpecialisation result;
    for (const double sum : gate_) result.mean_gate.push_back(sum / static_cast<double>(examples));
    for (std::size_t f = 0; f < factors.size(); ++f) {
      const FactorSums& sums = factors_[f];
      FactorMap& map = result.factors.emplace_back();
      map.factor = factors[f].name;
      map.levels = factors[f].levels;
      map.axes = factors[f].axes;
      for (std::size_t i = 0; i < sums.soft.size(); ++i) {
        map.mean_gate.push_back(sums.soft[i] / sums.examples[i % sums.examples.size()]);
      }
      map.soft = mutual_information(sums.soft, experts);
      map.hard = mutual_information(sums.hard, experts);
    }
    return result;
  }

 private:
  static void add_level(FactorSums& sums, std::size_t level, std::span<const float> gates,
                        std::size_t largest) {
    const std::size_t levels = sums.examples.size();
    for (std::size_t e = 0; e < gates.size(); ++e)
      sums.soft[e * levels + level] += static_cast<double>(gates[e]);
    sums.hard[largest * levels + level] += 1;
    sums.examples[level] += 1;
  }

  std::vector<double> gate_;  // (N)
  std::vector<FactorSums> factors_;
};

}  // namespace

std::optional<Specialisation> measure(distribution::Network& network, const data::Dataset& dataset,
                                      const training::Pass& pass,
                                      const training::StopRequested& stop_requested) {
  std::vector<LayerSums> sums;
  for (const model::LayerSpec& layer : network.spec().layers)
    sums.emplace_back(layer.experts, dataset.factors());
  const bool keeps = network.ranks().is_coordinator();
  const bool is_whole =
      training::for_each_batch(network, dataset, pass, stop_requested, [&](const data::Batch& batch) {
        if (!keeps) return;
        for (std::size_t l = 0; l < sums.size(); ++l)
          sums[l].add(network.gates(static_cast<Index>(l)), batch);
      });
  if (!is_whole) return std::nullopt;
  Specialisation result{name_of(pass.split), dataset.example_count(pass.split), {}};
  if (!keeps) return result;
  for (const LayerSums& layer : sums)
    result.layers.push_back(layer.means(dataset.factors(), result.examples));
  return result;
}

}  // namespace dmoe::analysis
