// A step with a coordinator in each replica: what the code does today.
#include <algorithm>
#include <cmath>

#include "scale/even_routing.hpp"
#include "scale/step.hpp"

namespace dmoe::scale {

namespace {

class CoordinatorStep {
 public:
  CoordinatorStep(const Machine& machine, const Workload& work, const Layout& layout)
      : machine_(machine),
        work_(work),
        layout_(layout),
        rows_(most_rows(work, layout.replicas)),
        gated_(gated_rows(work, layout)),
        terms_(machine, work),
        messages_(machine.link_in_group(layout.shards, layout.ranks())) {}

  Parts run() {
    present();
    for (Index l = 0; l < layer_count(); ++l) forward(l);
    const double forward_ended = std::max(first_, other_);
    const double head = terms_.head(gated_.of_slices);
    parts_.head = head;
    first_ += head;
    ship(layer_count() - 1);
    for (Index l = layer_count() - 1; l >= 0; --l) backward(l);
    end(forward_ended);
    return parts_;
  }

 private:
  Index layer_count() const { return work_.network.layer_count(); }
  Index b() const { return rows_.rows; }

  Terms::Experts experts(Index layer, const Holding& of) const {
    const bool is_local = !work_.network.layers[size(layer)].is_sharded();
    if (!work_.is_routed(layer))
      return terms_.dense_experts(layer, of.experts, of.blocks,
                                  is_local ? gated_.of_slices : rows_.of_slices);
    return terms_.routed_experts(layer, of.experts, of.entries, of.block_rows,
                                 static_cast<Index>(rows_.of_slices.size()));
  }

  /// Seconds from the coordinator's start of a flow to its arrival everywhere.
  double arrival(const Flow& flow) const {
    if (flow.is_broadcast) return messages_.broadcast(flow.sent / real(layout_.shards - 1), layout_.shards);
    return messages_(flow);
  }

  /// Compute of the coordinator.
  double first(double Parts::*part, double seconds) {
    parts_.*part += seconds;
    return seconds;
  }

  void present() { first_ = other_ = first(&Parts::presenting, terms_.presenting(real(b()))); }

  struct Layer {
    Terms::Gate gate;
    Terms::Experts own, others;
    LayerFlows flows;
    double copied = 0;       // routed: rows of z below, and as many of dz, that go into messages
    double output_sums = 0;  // floats that the coordinator reads and writes for z
    double input_sums = 0;   // and for dx
    double inputs = 0;       // D
    double planning = 0;     // of a routed batch, on every rank
  };

  Layer layer(Index l) const {
    const bool is_routed = work_.is_routed(l);
    const Holding of_first = holding_of(work_, l, layout_.shards, 0, b());
    const Holding of_other = largest_holding(work_, l, layout_.shards, b());
    const Holding of_all = all_holdings(work_, l, layout_.shards, b());
    const model::LayerSpec& spec = work_.network.layers[size(l)];
    Layer layer;
    layer.gate = terms_.gate(l, gated_.of_slices);
    layer.own = experts(l, of_first);
    if (layout_.shards > 1 && spec.is_sharded()) layer.others = experts(l, of_other);
    layer.flows = coordinator_flows(work_, l, layout_.shards, b());
    layer.inputs = real(work_.network.input_width(l));
    if (spec.is_sharded()) {
      const double sums = is_routed ? of_all.block_rows + real(b()) : real(b()) * real(of_all.blocks + 1);
      const double copies = 2 * real(b());  // of outputs that stand side by side
      layer.output_sums = (spec.is_gated() ? sums : copies) * real(work_.network.output_width(l));
      if (l > 0) layer.input_sums = sums * layer.inputs;
    }
    if (is_routed) {
      layer.copied = of_all.needed_rows - of_first.needed_rows;
      layer.planning = machine_.planning * real(b() * work_.chosen[size(l)]);
    }
    return layer;
  }

  void forward(Index l) {
    const Layer of = layer(l);
    const bool is_routed = work_.is_routed(l);
    const double gated = first_ + first(&Parts::gate, of.gate.forward);
    double ready = gated;  // the coordinator, for its experts
    if (is_routed) {
      ready += first(&Parts::packing, of.planning + (l > 0 ? terms_.traffic(2 * of.copied * of.inputs) : 0));
      const double chosen = std::max(other_, gated + arrival(of.flows.gates)) + of.planning;
      other_ = std::max(chosen, ready + arrival(of.flows.inputs)) + of.others.forward;
    } else {
      other_ = std::max(other_, first_ + arrival(of.flows.inputs)) + of.others.forward;
      other_ = std::max(other_, gated + arrival(of.flows.gates));
    }
    other_ += of.others.weighing;
    const double own =
        ready + first(&Parts::experts, of.own.forward) + first(&Parts::packing, of.own.weighing);
    first_ = std::max(own, other_ + messages_(of.flows.output_sums));
    first_ += first(&Parts::packing, terms_.traffic(of.output_sums));
  }

  /// The coordinator sends dz of layer l; of a routed one first packs its rows.
  void ship(Index l) {
    if (work_.is_routed(l)) {
      const double width = real(work_.network.output_width(l));
      first_ += first(&Parts::packing, terms_.traffic(2 * layer(l).copied * width));
    }
    shipped_ = first_;
  }

  void backward(Index l) {
    const Layer of = layer(l);
    other_ = std::max(other_, shipped_ + arrival(of.flows.output_gradients)) + of.others.output_gradient;
    const double gradients_sent = other_;
    other_ += of.others.input_gradient + of.others.sharing;
    first_ += first(&Parts::packing, of.own.output_gradient + of.own.sharing) +
              first(&Parts::experts, of.own.input_gradient);
    first_ = std::max(first_, gradients_sent + messages_(of.flows.gate_gradients)) +
             first(&Parts::gate, of.gate.input_gradient);
    if (l > 0) {
      first_ = std::max(first_, other_ + messages_(of.flows.input_sums));
      const double gate_share = of.gate.all() > 0 ? 3 * real(b()) * of.inputs : 0;
      first_ += first(&Parts::packing, terms_.traffic(of.input_sums + gate_share));
      ship(l - 1);
    }
    first_ += first(&Parts::gate, of.gate.weight_gradient) + first(&Parts::experts, of.own.weight_gradient);
    other_ += of.others.weight_gradient;
  }

  /// Seconds between the replicas of what a rank holds, and its share of SGD.
  struct Column {
    double exchange = 0;
    double sgd = 0;
    double all() const { return exchange + sgd; }
  };
  Column column(const Shared& shared) const {
    const ColumnLoad load = column_load(shared.lengths, shared.leaves, layout_.replicas, work_.clips);
    Column column{0, terms_.sgd(real(load.chunk))};
    if (layout_.replicas == 1) {
      column.sgd *= used();
      return column;
    }
    column.exchange = exchange_seconds(load, work_, Messages(machine_.link_across(layout_.ranks())), terms_);
    return column;
  }

  /// The share of the experts that any row of a step chose, over all layers: others are not stepped.
  double used() const {
    double experts = 0;
    double used = 0;
    for (Index l = 0; l < layer_count(); ++l) {
      const auto count = real(work_.network.layers[size(l)].experts);
      experts += count;
      const double none = work_.is_routed(l) ? 1 - real(work_.chosen[size(l)]) / count : 0;
      used += count * (1 - std::pow(none, real(b())));
    }
    return used / experts;
  }

  void end(double forward_ended) {
    for (const Shared& one : shared_by_first(work_, layout_.shards)) {
      const Column of_first = column(one);
      first_ += first(&Parts::replicas, of_first.exchange) + first(&Parts::sgd, of_first.sgd);
    }
    if (layout_.shards > 1) other_ += column({lengths_of_largest(work_, layout_.shards), work_.slices}).all();
    const double ended = layout_.shards > 1 ? std::max(first_, other_) : first_;
    parts_.exchange = std::max(0.0, ended - parts_.all());
    const Messages world(machine_.link_across(layout_.ranks()));
    const double totals = forward_ended + world.all_reduce(totals_bytes(work_), layout_.ranks());
    parts_.totals = std::max(0.0, totals - ended);
  }

  const Machine& machine_;
  const Workload& work_;
  const Layout& layout_;
  ReplicaRows rows_;
  GatedRows gated_;
  Terms terms_;
  Messages messages_;
  Parts parts_;
  double first_ = 0;    // where the coordinator is, seconds after the step began
  double other_ = 0;    // where the other rank with the most to do is
  double shipped_ = 0;  // when dz of the layer that comes next began to be sent
};

}  // namespace

Parts step_with_coordinator(const Machine& machine, const Workload& work, const Layout& layout) {
  return CoordinatorStep(machine, work, layout).run();
}

}  // namespace dmoe::scale
