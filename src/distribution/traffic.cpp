#include "distribution/traffic.hpp"

#include <algorithm>
#include <numeric>

#include "exchange/topology.hpp"

namespace dmoe::distribution {

namespace {

constexpr Index value_bytes = sizeof(float);
constexpr Index integer_bytes = sizeof(std::int64_t);

/// Ranks beside the coordinator that own experts.
Index other_owners(const exchange::Topology& topology) {
  Index owners = 0;
  for (Index rank = 1; rank < topology.ranks(); ++rank) owners += topology.range(rank).count > 0 ? 1 : 0;
  return owners;
}

/// Tensors that values [first, end) of all have a part of.
Index tensors_in(const std::vector<Index>& lengths, const exchange::ExpertRange& values) {
  Index count = 0;
  Index begin = 0;
  for (const Index length : lengths) {
    if (std::max(begin, values.first) < std::min(begin + length, values.end())) ++count;
    begin += length;
  }
  return count;
}

}  // namespace

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
    const Index owners = other_owners(topology);
    if (layer.is_gated()) bytes.totals += integer_bytes * layer.experts;
    if (const auto found = routed.find(l); found != routed.end()) {
      const auto& [most, needed_rows, block_rows, choices, partners] = found->second;
      bytes.messages_sent += others + (l > 0 ? 2 : 1) * partners;
      bytes.messages_received += (l > 0 ? 3 : 2) * partners;
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
      bytes.messages_sent += others;
      bytes.messages_received += owners;
      bytes.outputs += others * column_bytes * spec.input_width(l);
      bytes.input_sums += blocks * column_bytes * spec.input_width(l);
    }
    if (layer.is_gated()) {
      bytes.messages_sent += 2 * others;
      bytes.messages_received += 2 * owners;
      bytes.gates += others * column_bytes * layer.experts;
      bytes.gate_gradients += column_bytes * away;
      bytes.output_sums += blocks * column_bytes * spec.output_width(l);
      bytes.output_gradients += others * column_bytes * spec.output_width(l);
    } else if (layer.is_sharded()) {
      bytes.messages_sent += owners;
      bytes.messages_received += owners;
      bytes.output_sums += column_bytes * away * layer.hidden;
      bytes.output_gradients += column_bytes * away * layer.hidden;
    }
  }
  bytes.totals += 3 * integer_bytes;  // requests: stop, checkpoint, help
  return bytes;
}

std::vector<Index> parameter_lengths(const model::NetworkSpec& spec, Index ranks, Index rank) {
  std::vector<Index> lengths;
  for (Index l = 0; l < spec.layer_count(); ++l) {
    const auto& [experts, hidden, gate_hidden, kind] = spec.layers[size(l)];
    const Index inputs = spec.input_width(l);
    const bool is_coordinator = rank == 0;
    const Index own = spec.layers[size(l)].is_sharded() ? exchange::Topology(experts, ranks).range(rank).count
                      : is_coordinator                  ? 1
                                                        : 0;
    lengths.insert(lengths.end(), {own * hidden * inputs, own * hidden});
    if (kind == model::LayerKind::classifier_mixture)
      lengths.insert(lengths.end(), {own * spec.classes * hidden, own * spec.classes});
    if (!spec.layers[size(l)].is_gated()) continue;
    const Index gates = is_coordinator ? 1 : 0;
    for (const Index length : {gate_hidden * inputs, gate_hidden, experts * gate_hidden, experts})
      lengths.push_back(gates * length);
  }
  if (spec.has_head()) {
    const Index heads = rank == 0 ? 1 : 0;
    lengths.insert(lengths.end(),
                   {heads * spec.classes * spec.input_width(spec.layer_count()), heads * spec.classes});
  }
  return lengths;
}

std::vector<ReplicaTraffic> replica_traffic(const std::vector<Index>& lengths, Index slices, Index replicas,
                                            GradientSharing sharing) {
  std::vector<ReplicaTraffic> traffic(size(replicas));
  if (replicas == 1) return traffic;
  const Index values = std::reduce(lengths.begin(), lengths.end());
  const exchange::Topology chunks(values, replicas);
  const exchange::Topology shares(slices, replicas);
  std::vector<Index> blocks;   // of each replica's slices
  std::vector<Index> tensors;  // in each replica's chunk
  for (Index r = 0; r < replicas; ++r) {
    blocks.push_back(static_cast<Index>(shares.blocks(r).size()));
    tensors.push_back(tensors_in(lengths, chunks.range(r)));
  }
  const Index all_blocks = std::reduce(blocks.begin(), blocks.end());
  const Index all_tensors = std::reduce(tensors.begin(), tensors.end());
  const Index times_back = sharing == GradientSharing::yes ? 2 : 1;  // gradients, weights
  const Index others = replicas - 1;
  for (Index r = 0; r < replicas; ++r) {
    const Index own = chunks.range(r).count;
    const Index own_blocks = blocks[size(r)];
    const Index own_tensors = tensors[size(r)];
    const Index other_blocks = all_blocks - own_blocks;
    const Index other_tensors = all_tensors - own_tensors;
    traffic[size(r)] = {value_bytes * (own_blocks * (values - own) + times_back * others * own),
                        value_bytes * (other_blocks * own + times_back * (values - own)),
                        own_blocks * other_tensors + times_back * others * own_tensors,
                        other_blocks * own_tensors + times_back * other_tensors};
  }
  return traffic;
}

std::int64_t loss_bytes(Index slices, Index replicas) {
  return replicas > 1 ? 2 * integer_bytes * slices : 0;
}

}  // namespace dmoe::distribution
