#include "bench/weights.hpp"

#include "distribution/topology.hpp"

namespace dmoe::bench {

Index bytes_moved(const model::NetworkSpec& spec, Index layer) {
  const Index times = 1 + (layer == 0 ? 0 : 1) + 1 + 3;
  return times * static_cast<Index>(sizeof(float)) * spec.layers[size(layer)].hidden *
         spec.input_width(layer);
}

Index parameter_bytes(const model::NetworkSpec& spec, Index ranks, Index rank) {
  Index values = rank == 0 ? (spec.input_width(spec.layer_count()) + 1) * spec.classes : 0;
  for (Index l = 0; l < spec.layer_count(); ++l) {
    const auto& [experts, hidden, gate_hidden, kind] = spec.layers[size(l)];
    const Index inputs = spec.input_width(l);
    values += distribution::Topology(experts, ranks).range(rank).count * hidden * (inputs + 1);
    if (rank == 0) values += gate_hidden * (inputs + 1) + experts * (gate_hidden + 1);
  }
  return 2 * values * static_cast<Index>(sizeof(float));
}

}  // namespace dmoe::bench
