// The whole network over E ranks: x -> z_1 -> .. -> z_L -> softmax(W z_L + b).
#pragma once

#include <cstdint>
#include <deque>
#include <span>
#include <vector>

#include "comm/communicator.hpp"
#include "distribution/sharded_mixture.hpp"
#include "model/head.hpp"
#include "model/network_spec.hpp"

namespace dmoe::distribution {

/// One mask (N_l) per layer: which experts are left out.
using Masks = std::vector<std::span<const std::uint8_t>>;

/// A Deep Mixture of Experts: experts on their owners, gates, head and loss on the coordinator. Every rank
/// presents the same x, so nothing is sent for the first layer. One backward pass belongs to one forward
/// pass.
class Network {
 public:
  /// Weights from the seed, the same for any number of ranks; buffers for batches of up to `capacity` rows.
  /// Throws InputError where there are more ranks than experts in every layer. `ranks` must outlive the
  /// network. Local.
  Network(const model::NetworkSpec& spec, const comm::Communicator& ranks, std::uint64_t seed,
          Index capacity);

  /// logits on the coordinator, gates on every rank, from x (B, D). Collective over the ranks.
  void forward(ConstMatrixView x, const Masks& masks);
  /// Gradients of the mean cross-entropy against labels (B) into every parameter; returns the batch's loss on
  /// the coordinator, zero elsewhere. x as in the forward pass. Collective over the ranks.
  numerics::Loss backward(ConstMatrixView x, std::span<const std::int32_t> labels);
  /// The loss of the last forward pass on the coordinator, zero elsewhere. Local.
  numerics::Loss loss(std::span<const std::int32_t> labels) const;
  /// (B, C), on the coordinator.
  ConstMatrixView logits() const { return head_.logits(); }
  /// (B, N_l): the gates in use, layer = 0 .. L-1, on every rank.
  ConstMatrixView gates(Index layer) { return layers_[size(layer)].gates(); }

  /// Visits every parameter, the same list in the same order on every rank. Local.
  void for_each_parameter(const model::ParameterVisitor& visit);

  const model::NetworkSpec& spec() const { return spec_; }
  const comm::Communicator& ranks() const { return *ranks_; }
  /// What this rank owns of a layer.
  const ExpertRange& range(Index layer) const { return layers_[size(layer)].range(); }
  /// Masks that leave no expert out, for evaluation.
  Masks no_masks() const;

 private:
  /// The input of a layer: x, or the z below it, waiting for it where it is still on the way.
  ConstMatrixView input(Index layer, ConstMatrixView x);

  model::NetworkSpec spec_;
  const comm::Communicator* ranks_;
  Index rows_ = 0;  // B of the last forward pass
  std::deque<ShardedMixture> layers_;
  model::Head head_;
  std::vector<std::uint8_t> nobody_masked_;
};

}  // namespace dmoe::distribution
