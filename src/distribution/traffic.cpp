#include "distribution/traffic.hpp"

#include "distribution/topology.hpp"

namespace dmoe::distribution {

StepTraffic bytes_per_step(const model::NetworkSpec& spec, Index ranks, Index rows) {
  const Index column_bytes = rows * static_cast<Index>(sizeof(float));  // of a (B, 1) matrix
  const Index others = ranks - 1;
  StepTraffic bytes;
  for (Index l = 0; l < spec.layer_count(); ++l) {
    const model::LayerSpec& layer = spec.layers[size(l)];
    const Topology topology(layer.experts, ranks);
    Index blocks = 0;
    for (Index rank = 1; rank < ranks; ++rank) blocks += static_cast<Index>(topology.blocks(rank).size());
    const bool is_top = l + 1 == spec.layer_count();
    bytes.gates += others * column_bytes * layer.experts;
    bytes.outputs += is_top ? 0 : others * column_bytes * layer.hidden;
    bytes.output_gradients += others * column_bytes * layer.hidden;
    bytes.output_sums += blocks * column_bytes * layer.hidden;
    bytes.gate_gradients += column_bytes * (layer.experts - topology.range(0).count);
    bytes.input_sums += l == 0 ? 0 : blocks * column_bytes * spec.input_width(l);
    bytes.totals += static_cast<Index>(sizeof(std::int64_t)) * layer.experts;
  }
  bytes.totals += static_cast<Index>(sizeof(std::int64_t));  // requests to stop
  return bytes;
}

}  // namespace dmoe::distribution
