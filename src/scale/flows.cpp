#include "scale/flows.hpp"

#include <algorithm>

#include "scale/even_routing.hpp"

namespace dmoe::scale {

namespace {

constexpr double value_bytes = sizeof(float);
constexpr double count_bytes = 8;
constexpr double choice_bytes = 3 * value_bytes;  // a row, an expert and its value

exchange::Topology topology_of(const Workload& work, Index layer, Index ranks) {
  return {work.network.layers[size(layer)].experts, ranks};
}

Index ranks_with_experts(const exchange::Topology& topology) {
  return std::min(topology.experts(), topology.ranks());
}

/// Whether the coordinator owns an expert of a layer with fewer experts than ranks.
Index other_owners(const exchange::Topology& topology) {
  return ranks_with_experts(topology) - (topology.range(0).count > 0 ? 1 : 0);
}

Flow sent(double bytes, double messages) {
  return {.sent = bytes, .messages_sent = messages};
}
Flow received(double bytes, double messages) {
  return {.received = bytes, .messages_received = messages};
}
Flow broadcast(Flow flow) {
  flow.is_broadcast = true;
  return flow;
}
Flow both(double to, double from, double partners) {
  return {to, from, partners, partners};
}

/// In the letters of the header.
struct Widths {
  double inputs;   // D
  double outputs;  // H
  double experts;  // N
};
Widths widths_of(const Workload& work, Index layer) {
  return {real(work.network.input_width(layer)), real(work.network.output_width(layer)),
          real(work.network.layers[size(layer)].experts)};
}

}  // namespace

Flow& Flow::operator+=(const Flow& other) {
  sent += other.sent;
  received += other.received;
  messages_sent += other.messages_sent;
  messages_received += other.messages_received;
  return *this;
}

Flow LayerFlows::all() const {
  Flow sum;
  for (const Flow* one :
       {&counts, &gates, &inputs, &output_sums, &output_gradients, &gate_gradients, &input_sums})
    sum += *one;
  return sum;
}

Holding holding_of(const Workload& work, Index layer, Index ranks, Index rank, Index rows) {
  const model::LayerSpec& of = work.network.layers[size(layer)];
  if (!of.is_sharded()) return {.experts = rank == 0 ? 1 : 0, .blocks = rank == 0 ? 1 : 0};
  const exchange::Topology topology = topology_of(work, layer, ranks);
  const Index own = topology.range(rank).count;
  Holding holding{.experts = own, .blocks = static_cast<Index>(topology.blocks(rank).size())};
  if (!work.is_routed(layer)) return holding;
  const Index chosen = work.chosen[size(layer)];
  holding.entries = real(rows * chosen) * real(own) / real(of.experts);
  holding.needed_rows = real(rows) * share_of_rows(of.experts, chosen, own);
  holding.block_rows = block_rows(topology, rank, rows, chosen);
  return holding;
}

Holding largest_holding(const Workload& work, Index layer, Index ranks, Index rows) {
  const Index first = ranks > 1 ? 1 : 0;
  Holding largest;
  for (Index rank = first; rank < ranks; ++rank) {
    const Holding one = holding_of(work, layer, ranks, rank, rows);
    largest = {std::max(largest.experts, one.experts), std::max(largest.blocks, one.blocks),
               std::max(largest.entries, one.entries), std::max(largest.needed_rows, one.needed_rows),
               std::max(largest.block_rows, one.block_rows)};
  }
  if (work.is_routed(layer))
    largest.entries = busiest_choices(rows, work.chosen[size(layer)], largest.experts,
                                      work.network.layers[size(layer)].experts, ranks);
  return largest;
}

Holding all_holdings(const Workload& work, Index layer, Index ranks, Index rows) {
  Holding all;
  for (Index rank = 0; rank < ranks; ++rank) {
    const Holding one = holding_of(work, layer, ranks, rank, rows);
    all = {all.experts + one.experts, all.blocks + one.blocks, all.entries + one.entries,
           all.needed_rows + one.needed_rows, all.block_rows + one.block_rows};
  }
  return all;
}

LayerFlows coordinator_flows(const Workload& work, Index layer, Index ranks, Index rows) {
  const model::LayerSpec& of = work.network.layers[size(layer)];
  LayerFlows flows;
  if (ranks == 1 || !of.is_sharded()) return flows;
  const auto [inputs, outputs, experts] = widths_of(work, layer);
  const Holding own = holding_of(work, layer, ranks, 0, rows);
  const Holding all = all_holdings(work, layer, ranks, rows);
  const double others = real(ranks - 1);
  const double owners = real(other_owners(topology_of(work, layer, ranks)));
  const double column = value_bytes * real(rows);  // of a (b, 1) matrix
  if (work.is_routed(layer)) {
    const double needed = value_bytes * (all.needed_rows - own.needed_rows);
    const double sums = value_bytes * (all.block_rows - own.block_rows);
    flows.gates = broadcast(sent(others * column * 2 * real(work.chosen[size(layer)]), others));
    flows.output_sums = received(sums * outputs, owners);
    flows.output_gradients = sent(needed * outputs, owners);
    flows.gate_gradients = received(value_bytes * (all.entries - own.entries), owners);
    if (layer == 0) return flows;
    flows.inputs = sent(needed * inputs, owners);
    flows.input_sums = received(sums * inputs, owners);
    return flows;
  }
  const double sums = column * real(all.blocks - own.blocks);
  if (of.is_gated()) {
    flows.gates = broadcast(sent(others * column * experts, others));
    flows.output_sums = received(sums * outputs, owners);
    flows.output_gradients = broadcast(sent(others * column * outputs, others));
    flows.gate_gradients = received(column * (experts - real(own.experts)), owners);
  } else {
    const double away = column * (experts - real(own.experts)) * real(of.hidden);
    flows.output_sums = received(away, owners);
    flows.output_gradients = sent(away, owners);
  }
  if (layer == 0) return flows;
  flows.inputs = broadcast(sent(others * column * inputs, others));
  flows.input_sums = received(sums * inputs, owners);
  return flows;
}

LayerFlows other_flows(const Workload& work, Index layer, Index ranks, Index rows) {
  const model::LayerSpec& of = work.network.layers[size(layer)];
  LayerFlows flows;
  if (ranks == 1 || !of.is_sharded()) return flows;
  const auto [inputs, outputs, experts] = widths_of(work, layer);
  const Holding own = largest_holding(work, layer, ranks, rows);
  const double column = value_bytes * real(rows);
  const bool is_routed = work.is_routed(layer);
  // Of a routed layer what arrives is expected, not the busiest rank's: the sum over ranks is the
  // coordinator's.
  const double arriving = is_routed ? value_bytes * own.needed_rows : column;
  const double leaving = is_routed ? value_bytes * own.block_rows : column * real(own.blocks);
  if (is_routed) {
    const double entries = real(rows * work.chosen[size(layer)]) * real(own.experts) / experts;
    flows.gates = received(column * 2 * real(work.chosen[size(layer)]), 1);
    flows.gate_gradients = sent(value_bytes * entries, 1);
  } else if (of.is_gated()) {
    flows.gates = received(column * experts, 1);
    flows.gate_gradients = sent(column * real(own.experts), 1);
  } else {
    const double part = column * real(own.experts) * real(of.hidden);
    flows.output_sums = sent(part, 1);
    flows.output_gradients = received(part, 1);
  }
  if (of.is_gated()) {
    flows.output_sums = sent(leaving * outputs, 1);
    flows.output_gradients = received(arriving * outputs, 1);
  }
  if (layer == 0) return flows;
  flows.inputs = received(arriving * inputs, 1);
  flows.input_sums = sent(leaving * inputs, 1);
  return flows;
}

GatedRows gated_rows(const Workload& work, const Layout& layout) {
  const Index b = most_rows(work, layout.replicas).rows;
  const Index leaves = work.slices * work.parts();
  const Index length = (work.rows + leaves - 1) / leaves;
  if (layout.gating == Gating::coordinator) return {b, cut_into(b, length), leaves};
  const Index of_replica = (work.slices + layout.replicas - 1) / layout.replicas * work.parts();
  if (of_replica < layout.shards) {
    const Index rows = (b + layout.shards - 1) / layout.shards;
    return {rows, {rows}, layout.ranks()};
  }
  const Index rows = std::min(b, (of_replica + layout.shards - 1) / layout.shards * length);
  return {rows, cut_into(rows, length), leaves};
}

LayerFlows home_flows(const Workload& work, Index layer, Index ranks, Index rows, Index home_rows) {
  const model::LayerSpec& of = work.network.layers[size(layer)];
  LayerFlows flows;
  if (ranks == 1 || !of.is_gated()) return flows;
  const auto [inputs, outputs, experts] = widths_of(work, layer);
  const Holding own = largest_holding(work, layer, ranks, rows);
  const Holding all = all_holdings(work, layer, ranks, rows);
  const double others = real(ranks - 1);
  const double home = real(home_rows);  // h
  const double away = real(rows) - home;
  if (!work.is_routed(layer)) {
    const auto to_all = [&](double width) {
      Flow flow = both(value_bytes * others * home * width, value_bytes * away * width, others);
      return broadcast(flow);
    };
    const auto to_homes = [&](double width) {
      return both(value_bytes * real(own.blocks) * away * width,
                  value_bytes * real(all.blocks - own.blocks) * home * width, others);
    };
    flows.gates = to_all(experts);
    flows.output_sums = to_homes(outputs);
    flows.output_gradients = to_all(outputs);
    flows.gate_gradients = both(value_bytes * away * real(own.experts),
                                value_bytes * home * (experts - real(own.experts)), others);
    if (layer == 0) return flows;
    flows.inputs = to_all(inputs);
    flows.input_sums = to_homes(inputs);
    return flows;
  }
  const double homes_share = home / real(rows);
  const double entries = real(rows * work.chosen[size(layer)]) * real(own.experts) / experts;
  // Of another home with an own expert; of this home with another rank's.
  const auto arriving = [&](double of_own) { return of_own * (1 - homes_share); };
  const auto leaving = [&](double of_all, double of_own) { return (of_all - of_own) * homes_share; };
  const double partners = std::min(others, home * real(work.chosen[size(layer)]));
  const double needed_out = value_bytes * leaving(all.needed_rows, own.needed_rows);
  const double needed_in = value_bytes * arriving(own.needed_rows);
  const double sums_out = value_bytes * arriving(own.block_rows);
  const double sums_in = value_bytes * leaving(all.block_rows, own.block_rows);
  flows.counts = both(count_bytes * others, count_bytes * others, others);
  flows.gates =
      both(choice_bytes * leaving(all.entries, entries), choice_bytes * arriving(entries), partners);
  flows.output_sums = both(sums_out * outputs, sums_in * outputs, partners);
  flows.output_gradients = both(needed_out * outputs, needed_in * outputs, partners);
  flows.gate_gradients =
      both(value_bytes * arriving(entries), value_bytes * leaving(all.entries, entries), partners);
  if (layer == 0) return flows;
  flows.inputs = both(needed_out * inputs, needed_in * inputs, partners);
  flows.input_sums = both(sums_out * inputs, sums_in * inputs, partners);
  return flows;
}

}  // namespace dmoe::scale
