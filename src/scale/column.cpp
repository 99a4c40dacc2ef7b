// What replicas send each other, and what they hold of it.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "scale/step.hpp"

namespace dmoe::scale {

namespace {

std::vector<Index> without_gates(const Workload& work, std::vector<Index> lengths) {
  const std::vector<Index> gates = lengths_of_gates(work);
  for (std::size_t i = 0; i < lengths.size(); ++i)
    if (gates[i] > 0) lengths[i] = 0;
  return lengths;
}

}  // namespace

double Messages::operator()(const Flow& flow, double turns) const {
  if (flow.messages() == 0) return 0;
  const bool crosses = flow.sent > 0 && flow.received > 0;
  const Direction direction = crosses ? Direction::crossing : Direction::one_way;
  const bool sends = flow.sent >= flow.received;
  const double bytes = sends ? flow.sent : flow.received;
  const double of_one = bytes / std::max(1.0, sends ? flow.messages_sent : flow.messages_received);
  const double more = std::max(0.0, bytes - turns * of_one);  // arrive behind the first of a turn
  return link_.overhead * flow.messages() + turns * link_.seconds(of_one, direction) +
         more * link_.seconds_a_byte(direction);
}

double Messages::broadcast(double bytes, Index ranks) const {
  if (ranks == 1) return 0;
  const double rounds = std::ceil(std::log2(static_cast<double>(ranks)));
  return rounds * (link_.overhead + link_.seconds(bytes, Direction::one_way));
}

ColumnLoad column_load(const std::vector<Index>& lengths, Index slices, Index replicas, bool clips) {
  ColumnLoad load{.values = std::reduce(lengths.begin(), lengths.end())};
  load.chunk = (load.values + replicas - 1) / replicas;
  const exchange::Topology shares(slices, replicas);
  for (Index r = 0; r < replicas; ++r) load.blocks += static_cast<Index>(shares.blocks(r).size());
  const auto sharing = clips ? distribution::GradientSharing::yes : distribution::GradientSharing::no;
  for (const distribution::RankTraffic& one :
       distribution::replica_traffic(lengths, slices, replicas, sharing)) {
    load.traffic = {std::max(load.traffic.bytes_sent, one.bytes_sent),
                    std::max(load.traffic.bytes_received, one.bytes_received),
                    std::max(load.traffic.messages_sent, one.messages_sent),
                    std::max(load.traffic.messages_received, one.messages_received)};
  }
  return load;
}

double exchange_seconds(const ColumnLoad& load, const Workload& work, const Messages& between,
                        const Terms& terms) {
  const auto& [out, in, messages_out, messages_in] = load.traffic;
  const double turns = work.clips ? 3 : 2;  // gradients, twice where their norm is needed first; weights
  return between({real(out), real(in), real(messages_out), real(messages_in)}, turns) +
         terms.traffic(real(load.blocks + 1) * real(load.chunk));
}

std::vector<Index> lengths_of_largest(const Workload& work, Index shards) {
  std::vector<Index> largest = distribution::parameter_lengths(work.network, shards, shards - 1);
  for (Index rank = shards > 1 ? 1 : 0; rank < shards; ++rank) {
    const std::vector<Index> one = distribution::parameter_lengths(work.network, shards, rank);
    for (std::size_t i = 0; i < one.size(); ++i) largest[i] = std::max(largest[i], one[i]);
  }
  return largest;
}

std::vector<Index> lengths_of_gates(const Workload& work) {
  model::NetworkSpec network = work.network;
  std::vector<Index> lengths = distribution::parameter_lengths(network, 1, 0);
  // Those of sharded experts are what changes where the first rank owns fewer of them.
  std::size_t place = 0;
  for (const model::LayerSpec& layer : network.layers) {
    const std::size_t tensors = layer.kind == model::LayerKind::classifier_mixture ? 4 : 2;
    if (layer.is_sharded())
      std::fill_n(lengths.begin() + static_cast<std::ptrdiff_t>(place), tensors, Index{0});
    place += tensors + (layer.is_gated() ? 4 : 0);
  }
  return lengths;
}

std::vector<Index> lengths_of_experts(const Workload& work, Index shards) {
  return without_gates(work, lengths_of_largest(work, shards));
}

std::vector<Shared> shared_by_first(const Workload& work, Index shards) {
  const std::vector<Index> all = distribution::parameter_lengths(work.network, shards, 0);
  if (work.parts() == 1) return {{all, work.slices}};
  return {{without_gates(work, all), work.slices}, {lengths_of_gates(work), work.slices * work.parts()}};
}

double totals_bytes(const Workload& work) {
  return static_cast<double>(distribution::bytes_per_step(work.network, 1, 0).totals);
}

}  // namespace dmoe::scale
