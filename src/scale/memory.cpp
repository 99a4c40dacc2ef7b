// What a rank holds for a training: parameters, gradients, velocities, and buffers for its largest batch.
#include <algorithm>
#include <numeric>

#include "scale/step.hpp"

namespace dmoe::scale {

namespace {

/// Floats of the parameters, of their gradients in as many blocks as the slices of a replica make, of the
/// velocities of the own chunk and of what other replicas send of it.
double parameters(const std::vector<Index>& lengths, Index slices, Index replicas, bool has_momentum) {
  const auto values = real(std::reduce(lengths.begin(), lengths.end()));
  const ColumnLoad load = column_load(lengths, slices, replicas, false);
  Index blocks = 1;  // of the replica with the most
  for (Index r = 0; r < replicas; ++r)
    blocks = std::max(blocks, static_cast<Index>(exchange::Topology(slices, replicas).blocks(r).size()));
  const double received = replicas > 1 ? real(load.blocks - 1) * real(load.chunk) : 0;
  return values * real(1 + blocks) + received + (has_momentum ? real(load.chunk) : 0);
}

/// Floats of buffers of a layer, for b rows.
class LayerBuffers {
 public:
  LayerBuffers(const Workload& work, Index layer, const Layout& layout)
      : work_(work),
        layer_(layer),
        of_(work.network.layers[size(layer)]),
        layout_(layout),
        rows_(most_rows(work, layout.replicas).rows),
        is_routed_(work.is_routed(layer)),
        inputs_(real(work.network.input_width(layer))),
        outputs_(real(work.network.output_width(layer))) {}

  /// What every rank has of what its experts do: outputs and gradients of them, gathered rows and shares of
  /// dx, and the sums of its blocks.
  double experts(const Holding& own) const {
    const double rows = is_routed_ ? own.entries : b() * real(own.experts);
    const double sums = is_routed_ ? own.block_rows : b() * real(own.blocks);
    const double width = is_classes() ? real(of_.hidden) + outputs_ : real(of_.hidden);
    const double shares = layer_ > 0 && of_.is_sharded() ? rows + sums : 0;
    return 2 * rows * width + (is_routed_ ? rows * inputs_ : 0) + (of_.is_sharded() ? sums * outputs_ : 0) +
           shares * inputs_;
  }
  /// z, dz and, of a mixture, its gates or choices, on every rank of a replica.
  double shared() const { return b() * (2 * outputs_ + chosen_values()); }
  /// The gate's hidden units, logits and their gradients of so many rows, and its share of dx.
  double gate(double rows) const {
    if (!of_.is_gated()) return 0;
    return rows * (2 * real(of_.gate_hidden) + 2 * real(of_.experts) + (layer_ > 0 ? inputs_ : 0));
  }
  /// Of sums and parts that arrive of `rows` rows: of z, of dg twice (as they come, and side by side), of dx.
  double arriving(const Holding& own, const Holding& all, double rows) const {
    if (!of_.is_sharded() || layout_.shards == 1) return 0;
    const double share = rows / b();
    const double sums =
        is_routed_ ? (all.block_rows - own.block_rows) * share : rows * real(all.blocks - own.blocks);
    const double away =
        is_routed_ ? (all.entries - own.entries) * share : rows * (2 * real(of_.experts) - real(own.experts));
    return sums * (outputs_ + (layer_ > 0 ? inputs_ : 0)) + (of_.is_gated() ? away : 0);
  }
  /// Of routed rows that are packed for others.
  double packed(const Holding& own, const Holding& all, double rows) const {
    if (!is_routed_) return 0;
    return (all.needed_rows - own.needed_rows) * rows / b() * (outputs_ + (layer_ > 0 ? inputs_ : 0));
  }

 private:
  double b() const { return real(rows_); }
  bool is_classes() const { return of_.kind == model::LayerKind::classifier_mixture; }
  double chosen_values() const {
    if (is_routed_) return 2 * real(work_.chosen[size(layer_)]);
    return of_.is_gated() ? real(of_.experts) : 0;
  }

  const Workload& work_;
  Index layer_;
  const model::LayerSpec& of_;
  const Layout& layout_;
  Index rows_;
  bool is_routed_;
  double inputs_, outputs_;
};

/// The batch, and the head for so many rows.
double batch_and_head(const Workload& work, double rows, double head_rows) {
  return rows * real(work.network.inputs) + 2 * head_rows * real(work.network.classes);
}

}  // namespace

double memory_of_first(const Workload& work, const Layout& layout) {
  const Index b = most_rows(work, layout.replicas).rows;
  const bool has_homes = layout.gating == Gating::rows;
  const GatedRows of_gate = gated_rows(work, layout);
  const double gated = real(of_gate.rows);
  double floats = batch_and_head(work, real(b), gated);
  if (has_homes) {
    floats +=
        parameters(lengths_of_experts(work, layout.shards), work.slices, layout.replicas, work.has_momentum) +
        parameters(lengths_of_gates(work), of_gate.leaves, layout.ranks(), work.has_momentum);
  } else {
    for (const Shared& one : shared_by_first(work, layout.shards))
      floats += parameters(one.lengths, one.leaves, layout.replicas, work.has_momentum);
  }
  for (Index l = 0; l < work.network.layer_count(); ++l) {
    const LayerBuffers buffers(work, l, layout);
    const Holding all = all_holdings(work, l, layout.shards, b);
    const Holding own =
        has_homes ? largest_holding(work, l, layout.shards, b) : holding_of(work, l, layout.shards, 0, b);
    floats += buffers.experts(own) + buffers.shared() + buffers.gate(gated) +
              buffers.arriving(own, all, gated) + buffers.packed(own, all, gated);
  }
  return 4 * floats;
}

double memory_of_other(const Workload& work, const Layout& layout) {
  if (layout.shards == 1 || layout.gating == Gating::rows) return memory_of_first(work, layout);
  const Index b = most_rows(work, layout.replicas).rows;
  double floats =
      batch_and_head(work, real(b), 0) +
      parameters(lengths_of_largest(work, layout.shards), work.slices, layout.replicas, work.has_momentum);
  for (Index l = 0; l < work.network.layer_count(); ++l) {
    const LayerBuffers buffers(work, l, layout);
    floats += buffers.experts(largest_holding(work, l, layout.shards, b)) + buffers.shared();
  }
  return 4 * floats;
}

}  // namespace dmoe::scale
