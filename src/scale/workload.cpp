#include "scale/workload.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "training/routings.hpp"

namespace dmoe::scale {

Workload Workload::in_one_slice() const {
  Workload whole = *this;
  whole.slices = 1;
  whole.gate_slices = 0;
  return whole;
}

const training::PhaseSpec& longest_phase(const config::Config& config) {
  return *std::ranges::max_element(config.training.phases, {}, &training::PhaseSpec::epochs);
}

Workload workload_of(const config::Config& config, const training::PhaseSpec& phase,
                     const model::NetworkSpec& network) {
  const training::TrainingSpec& spec = config.training;
  Workload work{.network = network,
                .rows = spec.batch_size,
                .slices = spec.slices,
                .chosen = {},
                .has_momentum = spec.momentum != 0,
                .clips = spec.max_gradient_norm > 0,
                .gate_slices = spec.gate_slices};
  try {
    const training::Routings routings(phase.routings, network.layer_count());
    for (Index l = 0; l < network.layer_count(); ++l) {
      const model::LayerSpec& layer = network.layers[size(l)];
      const bool is_routed = layer.is_gated() && !routings.of(l).is_dense(layer.experts);
      work.chosen.push_back(is_routed ? routings.of(l).most_chosen(layer.experts) : 0);
    }
  } catch (const InputError& error) {
    throw InputError("phases.{}.routing: {}", phase.name, error.what());
  }
  return work;
}

ReplicaRows most_rows(const Workload& work, Index replicas) {
  const Index parts = work.slices * work.parts();
  const Index length = work.parts() * ((work.rows + parts - 1) / parts);  // q
  const Index slices = (work.slices + replicas - 1) / replicas;
  const Index rows = std::min(work.rows, slices * length);
  return {rows, cut_into(rows, length)};
}

std::vector<Index> cut_into(Index rows, Index length) {
  std::vector<Index> slices;
  for (Index first = 0; first < rows; first += length) slices.push_back(std::min(length, rows - first));
  return slices;
}

}  // namespace dmoe::scale
