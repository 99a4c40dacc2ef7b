#include "distribution/traffic.hpp"

#include "exchange/topology.hpp"

namespace dmoe::distribution {

StepTraffic bytes_per_step(const model::NetworkSpec& spec, Index ranks, Index rows,
                           const std::map<Index, RoutedTraffic>& routed) {
  const Index column_bytes = rows * static_cast<Index>(sizeof(float));  // of a (B, 1) matrix
  const Index others = ranks - 1;
  StepTraffic bytes;
  for (Index l = 0; l < spec.layer_count(); ++l) {
    const model::LayerSpec& layer = spec.layers[size(l)];
    const exchange::Topology topology(layer.experts, ranks);
    Index blocks = 0;
    for (Index rank = 1; rank < ranks; ++rank) blocks += static_cast<Index>(topology.blocks(rank).size());
    const Index away = layer.experts - topology.range(0).count;
    if (layer.is_gated()) bytes.totals += static_cast<Index>(sizeof(std::int64_t)) * layer.experts;
    if (const auto found = routed.find(l); found != routed.end()) {
      const auto value_bytes = static_cast<Index>(sizeof(float));
      const auto& [most, needed_rows, block_rows, choices] = found->second;
      if (l > 0) {
        bytes.outputs += needed_rows * value_bytes * spec.input_width(l);
        bytes.input_sums += block_rows * value_bytes * spec.input_width(l);
      }
      bytes.gates += others * column_bytes * 2 * most;
      bytes.gate_gradients += choices * value_bytes;
      bytes.output_sums += block_rows * value_bytes * spec.output_width(l);
      bytes.output_gradients += needed_rows * value_bytes * spec.output_width(l);
      continue;
    }
    if (l > 0 && layer.is_sharded()) {
      bytes.outputs += others * column_bytes * spec.input_width(l);
      bytes.input_sums += blocks * column_bytes * spec.input_width(l);
    }
    if (layer.is_gated()) {
      bytes.gates += others * column_bytes * layer.experts;
      bytes.gate_gradients += column_bytes * away;
      bytes.output_sums += blocks * column_bytes * spec.output_width(l);
      bytes.output_gradients += others * column_bytes * spec.output_width(l);
    } else if (layer.is_sharded()) {
      bytes.output_sums += column_bytes * away * layer.hidden;
      bytes.output_gradients += column_bytes * away * layer.hidden;
    }
  }
  bytes.totals += 3 * static_cast<Index>(sizeof(std::int64_t));  // requests: stop, checkpoint, help
  return bytes;
}

}  // namespace dmoe::distribution
