// The assignment totals of a step, over all ranks: the one all-reduce of training.
#pragma once

#include <span>
#include <vector>

#include "balance/totals.hpp"
#include "comm/communicator.hpp"
#include "distribution/network.hpp"

namespace dmoe::distribution {

/// Each rank adds the gate values of its own experts over the batch, as integers; one all-reduce gives every
/// rank the totals of all layers, and carries requests to stop, so that all ranks stop at the same step.
class AssignmentReduction {
 public:
  explicit AssignmentReduction(Network& network);

  enum class Stop { no, requested };
  /// Starts the all-reduce for the last forward pass. Collective over the network's ranks.
  void start(Stop stop);
  /// Waits for it. Collective over the network's ranks.
  void finish() { request_.wait(); }

  /// (N_l): what the step assigned to the experts of layer = 0 .. L-1, the same on every rank.
  std::span<const balance::Total> assigned(Index layer) const;
  /// Whether any rank was asked to stop.
  bool stop_requested() const { return values_.back() != 0; }

 private:
  Network* network_;
  std::vector<Index> starts_;           // where each layer begins in values_
  std::vector<balance::Total> values_;  // all layers' experts, then the stop requests
  comm::Request request_;
};

}  // namespace dmoe::distribution
