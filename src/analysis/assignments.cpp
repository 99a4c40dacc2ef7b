#include "analysis/assignments.hpp"

#include <algorithm>

#include "core/error.hpp"

namespace dmoe::analysis {

std::optional<Assignments> collect(distribution::Network& network, const data::Dataset& dataset,
                                   const training::Pass& pass,
                                   const training::StopRequested& stop_requested) {
  if (network.grid().replicas() > 1)
    throw InputError("an analysis is of one replica, got {}", network.grid().replicas());
  const bool keeps = network.ranks().is_coordinator();
  const Index examples = keeps ? dataset.example_count(pass.split) : 0;
  Assignments result{{}, dataset.factors(), {}, dataset.groups(pass.split)};
  for (const model::LayerSpec& layer : network.spec().layers)
    result.gates.emplace_back(examples, layer.choices());
  result.levels.assign(result.factors.size(), std::vector<std::int32_t>(size(examples)));
  Index first = 0;
  const auto keep = [&](const data::Batch& batch) {
    if (!keeps) return;
    for (std::size_t l = 0; l < result.gates.size(); ++l) {
      const ConstMatrixView gates = network.gates(static_cast<Index>(l));
      std::copy_n(gates.data, gates.count(), result.gates[l].view().rows_from(first, gates.rows).data);
    }
    for (std::size_t f = 0; f < result.factors.size(); ++f) {
      std::copy(batch.factor(f).begin(), batch.factor(f).end(), result.levels[f].begin() + first);
    }
    first += batch.rows;
  };
  if (!training::for_each_batch(network, dataset, pass, stop_requested, keep)) return std::nullopt;
  return result;
}

}  // namespace dmoe::analysis
