// dLoss/dx of a layer's experts: each expert's share where the expert is, their sum where the row is at home.
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
                      InputGradient gradient, Index inputs);

  bool is_wanted() const { return gradient_ == InputGradient::wanted; }
  /// Starts the receives. Collective.
  void begin(const exchange::Homes& homes);
  /// Computes the own experts' shares of dx, adds them up along the tree and sends the sums; after their
  /// backward_output. Collective.
  void send(const model::ExpertGroup& experts);
  /// d_x (rows at home here, D). Collective.
  void combine(MatrixView d_x);

 private:
  Timing& timing_;
  InputGradient gradient_;
  Index experts_;
  exchange::ExpertRange own_;
  GrowingMatrix shares_;  // (own experts B, D)
  exchange::TreeReduction sum_;
};

}  // namespace dmoe::distribution
