#include "scale/prediction.hpp"

#include <algorithm>

#include "scale/step.hpp"

namespace dmoe::scale {

namespace {

void add(const Flow& flow, RankLoad& load) {
  load.bytes_sent += flow.sent;
  load.bytes_received += flow.received;
  load.messages_sent += flow.messages_sent;
  load.messages_received += flow.messages_received;
}

/// What a rank that holds tensors of these lengths says to those of other replicas.
void add_column(const std::vector<Index>& lengths, Index slices, Index ranks, bool clips, RankLoad& load) {
  const auto [sent, received, messages_sent, messages_received] =
      column_load(lengths, slices, ranks, clips).traffic;
  add({static_cast<double>(sent), static_cast<double>(received), static_cast<double>(messages_sent),
       static_cast<double>(messages_received)},
      load);
}

RankLoad load_of_first(const Workload& work, const Layout& layout) {
  RankLoad load;
  const Index rows = most_rows(work, layout.replicas).rows;
  for (Index l = 0; l < work.network.layer_count(); ++l)
    add(coordinator_flows(work, l, layout.shards, rows).all(), load);
  for (const Shared& one : shared_by_first(work, layout.shards))
    add_column(one.lengths, one.leaves, layout.replicas, work.clips, load);
  return load;
}

RankLoad load_of_other(const Workload& work, const Layout& layout) {
  RankLoad load;
  const Index rows = most_rows(work, layout.replicas).rows;
  for (Index l = 0; l < work.network.layer_count(); ++l)
    add(other_flows(work, l, layout.shards, rows).all(), load);
  add_column(lengths_of_largest(work, layout.shards), work.slices, layout.replicas, work.clips, load);
  return load;
}

RankLoad load_of_home(const Workload& work, const Layout& layout) {
  RankLoad load;
  const GatedRows gated = gated_rows(work, layout);
  const Index rows = most_rows(work, layout.replicas).rows;
  for (Index l = 0; l < work.network.layer_count(); ++l)
    add(home_flows(work, l, layout.shards, rows, gated.rows).all(), load);
  add_column(lengths_of_experts(work, layout.shards), work.slices, layout.replicas, work.clips, load);
  add_column(lengths_of_gates(work), gated.leaves, layout.ranks(), work.clips, load);
  return load;
}

}  // namespace

double Parts::all() const {
  return presenting + gate + experts + packing + head + sgd + exchange + replicas + totals;
}

Prediction predict(const Machine& machine, const Workload& work, const Layout& layout) {
  const bool has_homes = layout.gating == Gating::rows;
  Prediction prediction{
      layout,
      has_homes ? step_with_homes(machine, work, layout) : step_with_coordinator(machine, work, layout),
      has_homes ? load_of_home(work, layout) : load_of_first(work, layout),
      {}};
  prediction.first.memory = memory_of_first(work, layout);
  if (layout.ranks() > 1) {
    const Index homes = has_homes ? layout.ranks() : layout.replicas;
    const auto losses = distribution::loss_bytes(gated_rows(work, layout).leaves, homes);
    prediction.first.bytes_reduced = totals_bytes(work) + static_cast<double>(losses);
  }
  prediction.other = prediction.first;
  if (layout.shards == 1 || has_homes) return prediction;
  prediction.other = load_of_other(work, layout);
  prediction.other.bytes_reduced = totals_bytes(work);
  prediction.other.memory = memory_of_other(work, layout);
  return prediction;
}

std::vector<Prediction> predict(const Machine& machine, const Workload& work,
                                const std::vector<Layout>& layouts) {
  std::vector<Prediction> predictions;
  for (const Layout& layout : layouts) predictions.push_back(predict(machine, work, layout));
  return predictions;
}

std::size_t fastest(const std::vector<Prediction>& predictions) {
  const auto found = std::ranges::min_element(predictions, {}, &Prediction::milliseconds);
  return static_cast<std::size_t>(found - predictions.begin());
}

}  // namespace dmoe::scale
