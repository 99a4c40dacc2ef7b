#include "analysis/analysis.hpp"

#include <algorithm>

#include "comm/together.hpp"

namespace dmoe::analysis {

namespace {

/// Fills in all that is made of the assignments. Local.
void add_measures(Analysis& result, const Assignments& assignments, const data::Dataset& dataset,
                  const training::Pass& pass, const Options& options) {
  result.layers = specialisation(assignments, options.permutations);
  const std::vector<Matrix>& gates = assignments.gates;
  const auto is_gated = [](const Matrix& layer) { return layer.columns() > 0; };
  for (auto layer = gates.begin(); layer != gates.end() && layer + 1 != gates.end(); ++layer) {
    std::optional<Pair>& pair = result.pairs.emplace_back();
    const auto next = std::find_if(layer + 1, gates.end(), is_gated);
    if (!is_gated(*layer) || next == gates.end()) continue;
    if (layer->columns() * next->columns() > options.most_combinations) continue;
    pair = pair_of(*layer, *next, dataset, pass, options.top);
    pair->next_layer = next - gates.begin();
  }
  if (std::ranges::count_if(gates, is_gated) == 1) {
    result.top = top_examples(*std::ranges::find_if(gates, is_gated), dataset, pass, options.top);
  }
}

}  // namespace

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
                  {},
                  {}};
  comm::together(network.ranks(), [&] {
    if (network.ranks().is_coordinator()) add_measures(result, *assignments, dataset, pass, options);
  });
  return result;
}

}  // namespace dmoe::analysis
