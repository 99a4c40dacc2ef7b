// dLoss/dx of a layer's experts: each expert's share where the expert is, their sum on the coordinator.
#pragma once

#include "comm/communicator.hpp"
#include "core/matrix.hpp"
#include "distribution/layer.hpp"
#include "exchange/dense_exchange.hpp"
#include "exchange/topology.hpp"
#include "model/expert.hpp"

namespace dmoe::distribution {

/// The sum over the experts, along the fixed tree. Where it is skipped, all of it does nothing.
class ExpertInputGradient {
 public:
  ExpertInputGradient(const comm::Communicator& ranks, const exchange::Topology& topology,
                      InputGradient gradient, Index capacity, Index inputs);

  bool is_wanted() const { return gradient_ == InputGradient::wanted; }
  /// Starts the receives on the coordinator. Collective.
  void begin(Index rows);
  /// Computes the own experts' shares of dx, adds them up along the tree and sends the sums; after their
  /// backward_output. Collective.
  void send(const model::ExpertGroup& experts);
  /// d_x (B, D), on the coordinator; other ranks finish their send. Collective.
  void combine(MatrixView d_x);

 private:
  InputGradient gradient_;
  Index experts_;
  exchange::ExpertRange own_;
  Matrix shares_;  // (own experts capacity, D)
  exchange::TreeReduction sum_;
};

}  // namespace dmoe::distribution
