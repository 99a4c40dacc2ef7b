// A step in which every row has a home rank that gates it (SCALE: comm.gating = "rows").
#include <algorithm>

#include "scale/step.hpp"

namespace dmoe::scale {

namespace {

/// All ranks do alike; the one with the most of everything is followed.
class HomeStep {
 public:
  HomeStep(const Machine& machine, const Workload& work, const Layout& layout)
      : machine_(machine),
        work_(work),
        layout_(layout),
        rows_(most_rows(work, layout.replicas)),
        gated_(gated_rows(work, layout)),
        home_(gated_.rows),
        terms_(machine, work),
        messages_(machine.link_in_group(layout.shards, layout.ranks())),
        across_(machine.link_across(layout.ranks())) {}

  Parts run() {
    parts_.presenting = terms_.presenting(presented());
    for (Index l = 0; l < layer_count(); ++l) forward(l);
    const double forward_ended = parts_.all();
    parts_.head = terms_.head(gated_.of_slices);
    for (Index l = layer_count() - 1; l >= 0; --l) backward(l);
    end(forward_ended);
    return parts_;
  }

 private:
  Index layer_count() const { return work_.network.layer_count(); }

  /// Rows that a rank makes ready: those whose home it is, and those that its experts of layer 1 compute.
  double presented() const {
    if (!work_.is_routed(0)) return real(rows_.rows);
    const Holding own = largest_holding(work_, 0, layout_.shards, rows_.rows);
    return std::min(real(rows_.rows), real(home_) + own.needed_rows);
  }

  struct Layer {
    Terms::Gate gate;
    Terms::Experts experts;
    LayerFlows flows;
    double copied_out = 0;   // routed: rows of z below, and as many of dz, that go into messages
    double output_sums = 0;  // floats read and written for z of the own rows
    double input_sums = 0;   // and for dx
    double inputs = 0;       // D
    double planning = 0;
  };

  Layer layer(Index l) const {
    const model::LayerSpec& spec = work_.network.layers[size(l)];
    Layer layer;
    if (!spec.is_sharded()) {
      layer.experts = terms_.dense_experts(l, 1, 1, gated_.of_slices);
      return layer;
    }
    const Index b = rows_.rows;
    const Holding own = largest_holding(work_, l, layout_.shards, b);
    const Holding all = all_holdings(work_, l, layout_.shards, b);
    layer.gate = terms_.gate(l, gated_.of_slices);
    layer.flows = home_flows(work_, l, layout_.shards, b, home_);
    layer.inputs = real(work_.network.input_width(l));
    const double outputs = real(work_.network.output_width(l));
    double sums = real(home_) * real(all.blocks + 1);
    if (work_.is_routed(l)) {
      const double share = real(home_) / real(b);
      layer.experts = terms_.routed_experts(l, own.experts, own.entries, own.block_rows,
                                            static_cast<Index>(rows_.of_slices.size()));
      layer.copied_out = (all.needed_rows - own.needed_rows) * share;
      layer.planning = machine_.planning * (real(home_ * work_.chosen[size(l)]) + own.entries);
      sums = all.block_rows * share + real(home_);
    } else {
      layer.experts = terms_.dense_experts(l, own.experts, own.blocks, rows_.of_slices);
    }
    layer.output_sums = sums * outputs;
    if (l > 0) layer.input_sums = (sums + 3 * real(home_)) * layer.inputs;  // and the gate's share
    return layer;
  }

  void forward(Index l) {
    const Layer of = layer(l);
    parts_.gate += of.gate.forward;
    parts_.experts += of.experts.forward;
    parts_.packing += of.planning + of.experts.weighing + terms_.traffic(of.output_sums);
    if (work_.is_routed(l)) {
      const double copied = l > 0 ? 2 * of.copied_out * of.inputs : 0;
      parts_.packing += terms_.traffic(copied);
      parts_.exchange += messages_(of.flows.counts) + messages_(of.flows.gates) + messages_(of.flows.inputs);
    } else {  // gates are computed while z below travels, and travel while experts compute
      parts_.exchange += std::max(0.0, messages_(of.flows.inputs) - of.gate.forward) +
                         std::max(0.0, messages_(of.flows.gates) - of.experts.forward);
    }
    parts_.exchange += messages_(of.flows.output_sums);
  }

  void backward(Index l) {
    const Layer of = layer(l);
    const double outputs = real(work_.network.output_width(l));
    const double own = of.experts.input_gradient + of.experts.sharing;  // while dg travels
    parts_.packing += of.experts.output_gradient + of.experts.sharing +
                      terms_.traffic(2 * of.copied_out * outputs + of.input_sums);
    parts_.experts += of.experts.input_gradient + of.experts.weight_gradient;
    parts_.gate += of.gate.input_gradient + of.gate.weight_gradient;
    parts_.exchange += messages_(of.flows.output_gradients) +
                       std::max(0.0, messages_(of.flows.gate_gradients) - own) +
                       messages_(of.flows.input_sums);
  }

  /// Gradients of `lengths` between so many ranks, and SGD of the own share.
  void sum_gradients(const std::vector<Index>& lengths, Index slices, Index ranks) {
    const ColumnLoad load = column_load(lengths, slices, ranks, work_.clips);
    parts_.sgd += terms_.sgd(real(load.chunk));
    if (ranks > 1) parts_.replicas += exchange_seconds(load, work_, across_, terms_);
  }

  void end(double forward_ended) {
    sum_gradients(lengths_of_experts(work_, layout_.shards), work_.slices, layout_.replicas);
    sum_gradients(lengths_of_gates(work_), gated_.leaves, layout_.ranks());
    const double ended = parts_.all();
    const double totals = forward_ended + across_.all_reduce(totals_bytes(work_), layout_.ranks());
    parts_.totals = std::max(0.0, totals - ended);
  }

  const Machine& machine_;
  const Workload& work_;
  const Layout& layout_;
  ReplicaRows rows_;
  GatedRows gated_;
  Index home_;  // h
  Terms terms_;
  Messages messages_;
  Messages across_;
  Parts parts_;
};

}  // namespace

Parts step_with_homes(const Machine& machine, const Workload& work, const Layout& layout) {
  return HomeStep(machine, work, layout).run();
}

}  // namespace dmoe::scale
