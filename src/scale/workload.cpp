#include "scale/workload.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "training/routings.hpp"

namespace dmoe::scale {

Workload Workload::in_one_slice() const {
  Workload whole = *this;
  whole.slices = 1;
  return whole;
}

const training::PhaseSpec& longest_phase(const config::Config& config) {
  return *std::ranges::max_element(config.training.phases, {}, &training::PhaseSpec::epochs);
}

Workload workload_of(const config::Config& config, const training::PhaseSpec& phase,
                     const model::NetworkSpec& network) {
  const training::TrainingSpec& spec = config.training;
  Workload work{network, spec.batch_size, spec.slices, {}, spec.momentum != 0, spec.max_gradient_norm > 0};
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
  const Index length = (work.rows + work.slices - 1) / work.slices;  // q
  const Index slices = (work.slices + replicas - 1) / replicas;
  ReplicaRows most{std::min(work.rows, slices * length), {}};
  for (Index first = 0; first < most.rows; first += length)
    most.of_slices.push_back(std::min(length, most.rows - first));
  return most;
}

}  // namespace dmoe::scale
