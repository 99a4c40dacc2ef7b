// The assignment totals of a step, over all ranks: the one all-reduce of training.
#pragma once

#include <span>
#include <vector>

#include "balance/totals.hpp"
#include "comm/communicator.hpp"
#include "distribution/network.hpp"

namespace dmoe::distribution {

/// What a rank asks of all ranks, to be done together after the step.
struct StepRequests {
  bool stop = false;        // this process was told to stop
  bool checkpoint = false;  // it is time for one
  bool help = false;        // numbers have gone wrong here
  bool operator==(const StepRequests&) const = default;
};

/// Each rank adds the gate values of its own experts over the batch, as integers; one all-reduce gives every
/// rank the totals of all layers, and carries requests, so that all ranks heed them after the same step.
class AssignmentReduction {
 public:
  explicit AssignmentReduction(Network& network);

  /// Starts the all-reduce for the last forward pass. Collective over all replicas.
  void start(const StepRequests& mine);
  /// Waits for it. Collective over all replicas.
  void finish() { request_.wait(); }

  /// (N_l): what the step assigned to the experts of layer = 0 .. L-1, the same on every rank.
  std::span<const balance::Total> assigned(Index layer) const;
  /// What any rank asked for.
  StepRequests requests() const;

 private:
  Network* network_;
  std::vector<Index> starts_;           // where each layer begins in values_
  std::vector<balance::Total> values_;  // all layers' experts, then how many ranks ask for each request
  comm::Request request_;
};

}  // namespace dmoe::distribution
