// The course of a step on two clocks, for each kind of gating. Behind prediction.hpp.
#pragma once

#include "distribution/traffic.hpp"
#include "scale/flows.hpp"
#include "scale/prediction.hpp"
#include "scale/terms.hpp"

namespace dmoe::scale {

/// Seconds that messages take over one kind of link.
class Messages {
 public:
  explicit Messages(const Link& link) : link_(link) {}
  /// All messages of a flow at one rank, which go in so many turns, each after the one before; 0 where there
  /// are none.
  double operator()(const Flow& flow, double turns = 1) const;
  /// From one rank to all of `ranks`, each of which gets as many bytes.
  double broadcast(double bytes, Index ranks) const;
  /// Of so many bytes on each of `ranks`.
  double all_reduce(double bytes, Index ranks) const { return broadcast(bytes, ranks); }

 private:
  const Link& link_;
};

/// What replicas send each other of what one rank holds.
struct ColumnLoad {
  Index values = 0;                     // V
  Index chunk = 0;                      // of them, the longest of R
  Index blocks = 0;                     // sum of K_r over replicas
  distribution::RankTraffic traffic{};  // the most of any replica
};
/// Of tensors of these lengths, summed over `slices` leaves between `replicas` ranks. Local.
ColumnLoad column_load(const std::vector<Index>& lengths, Index slices, Index replicas, bool clips);
/// Seconds in which replicas, of which there are several, send each other gradients and weights and add what
/// arrives. Local.
double exchange_seconds(const ColumnLoad& load, const Workload& work, const Messages& between,
                        const Terms& terms);

/// The lengths of the tensors of what the rank with the most experts beside the coordinator holds. Local.
std::vector<Index> lengths_of_largest(const Workload& work, Index shards);
/// Tensors whose gradients are summed over so many leaves.
struct Shared {
  std::vector<Index> lengths;
  Index leaves = 1;
};
/// What coordinators share with each other: all at once, or, where gates are cut finer, those apart. Local.
std::vector<Shared> shared_by_first(const Workload& work, Index shards);
/// Of the tensors that every rank holds where each row has a home: gates, head, layers that are not split.
/// And of the experts of the rank with the most. Local.
std::vector<Index> lengths_of_gates(const Workload& work);
std::vector<Index> lengths_of_experts(const Workload& work, Index shards);

/// Bytes that every rank puts into the all-reduce of totals and requests. Local.
double totals_bytes(const Workload& work);

/// Local.
Parts step_with_coordinator(const Machine& machine, const Workload& work, const Layout& layout);
Parts step_with_homes(const Machine& machine, const Workload& work, const Layout& layout);

/// Bytes that the first rank of a replica, or the other one with the most, holds. Local.
double memory_of_first(const Workload& work, const Layout& layout);
double memory_of_other(const Workload& work, const Layout& layout);

}  // namespace dmoe::scale
