#include "analysis/analysis.hpp"

#include <algorithm>
#include <utility>

namespace dmoe::analysis {

namespace {

bool is_gated(const Gates& layer) {
  return layer.experts() > 0;
}

/// Joint assignment and top examples. Collective.
void add_combinations(Analysis& result, const Assignments& assignments, const data::Dataset& dataset,
                      const training::Pass& pass, const Options& options, const comm::Communicator& ranks) {
  const std::vector<Gates>& gates = assignments.gates;
  for (auto layer = gates.begin(); layer != gates.end() && layer + 1 != gates.end(); ++layer) {
    std::optional<Pair>& pair = result.pairs.emplace_back();
    const auto next = std::find_if(layer + 1, gates.end(), is_gated);
    if (!is_gated(*layer) || next == gates.end()) continue;
    if (layer->experts() * next->experts() > options.most_combinations) continue;
    pair = pair_of(*layer, *next, dataset, pass, options.top, ranks);
    pair->next_layer = next - gates.begin();
  }
  if (std::ranges::count_if(gates, is_gated) == 1)
    result.top = top_examples(*std::ranges::find_if(gates, is_gated), dataset, pass, options.top, ranks);
}

}  // namespace

std::optional<Analysis> analyze(distribution::Network& network, const data::Dataset& dataset,
                                const training::Pass& pass, const Options& options,
                                const training::StopRequested& stop_requested) {
  const std::optional<Assignments> assignments = collect(network, dataset, pass, stop_requested);
  if (!assignments) return std::nullopt;
  const comm::Communicator& ranks = network.grid().world();
  const auto nothing = [&] {
    return Analysis{data::split_name(pass.split),
                    dataset.example_count(pass.split),
                    static_cast<Index>(dataset.groups(pass.split).size()),
                    options.permutations,
                    {},
                    {},
                    {},
                    {}};
  };
  Analysis result = nothing();
  result.layers = specialisation(*assignments, options.permutations, ranks);
  add_combinations(result, *assignments, dataset, pass, options, ranks);
  return ranks.is_coordinator() ? std::move(result) : nothing();
}

}  // namespace dmoe::analysis
