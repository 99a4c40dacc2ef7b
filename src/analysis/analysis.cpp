#include "analysis/analysis.hpp"

namespace dmoe::analysis {

std::optional<Analysis> analyze(distribution::Network& network, const data::Dataset& dataset,
                                const training::Pass& pass, const Options& options,
                                const training::StopRequested& stop_requested) {
  const std::optional<Assignments> assignments = collect(network, dataset, pass, stop_requested);
  if (!assignments) return std::nullopt;
  Analysis result{
      data::split_name(pass.split), dataset.example_count(pass.split), options.permutations, {}, {}, {}};
  if (!network.ranks().is_coordinator()) return result;
  result.layers = specialisation(*assignments, options.permutations);
  const std::vector<Matrix>& gates = assignments->gates;
  for (std::size_t l = 0; l + 1 < gates.size(); ++l) {
    std::optional<Pair>& pair = result.pairs.emplace_back();
    if (gates[l].columns() * gates[l + 1].columns() <= options.most_combinations) {
      pair = pair_of(gates[l], gates[l + 1], dataset, pass, options.top);
    }
  }
  if (gates.size() == 1) result.top = top_examples(gates[0], dataset, pass, options.top);
  return result;
}

}  // namespace dmoe::analysis
