#include "analysis/analysis.hpp"

#include <algorithm>

namespace dmoe::analysis {

std::optional<Analysis> analyze(distribution::Network& network, const data::Dataset& dataset,
                                const training::Pass& pass, const Options& options,
                                const training::StopRequested& stop_requested) {
  const std::optional<Assignments> assignments = collect(network, dataset, pass, stop_requested);
  if (!assignments) return std::nullopt;
  Analysis result{data::split_name(pass.split),
                  dataset.example_count(pass.split),
                  static_cast<Index>(dataset.groups(pass.split).size()),
                  options.permutations,
                  {},
                  {},
                  {}};
  if (!network.ranks().is_coordinator()) return result;
  result.layers = specialisation(*assignments, options.permutations);
  const std::vector<Matrix>& gates = assignments->gates;
  for (std::size_t l = 0; l + 1 < gates.size(); ++l) {
    std::optional<Pair>& pair = result.pairs.emplace_back();
    const Index combinations = gates[l].columns() * gates[l + 1].columns();
    if (0 < combinations && combinations <= options.most_combinations) {
      pair = pair_of(gates[l], gates[l + 1], dataset, pass, options.top);
    }
  }
  const auto is_gated = [](const Matrix& layer) { return layer.columns() > 0; };
  if (std::ranges::count_if(gates, is_gated) == 1) {
    result.top = top_examples(*std::ranges::find_if(gates, is_gated), dataset, pass, options.top);
  }
  return result;
}

}  // namespace dmoe::analysis
