// One mixture layer over E ranks: z = sum_i g_i(x) f_i(x), the gate on the coordinator, each expert on its
// owner.
//
//               coordinator (rank 0)                    every other rank
//     forward   g = gate(x), masked, renormalised
//               g out to all               ->           f_i(x) of the own experts, meanwhile
//               f_i(x) of the own experts               g_i f_i summed over the own blocks of the tree
//               z = sum along the tree     <-           block sums
//     backward  dz out to all              ->           dg_i = <dz, f_i>
//               gate gradient              <-           dg_i
//               dx = sum along the tree    <-           own experts' shares of dx
//               dW, db of gate and own experts          dW_i, db_i of the own experts
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "comm/communicator.hpp"
#include "distribution/exchange.hpp"
#include "distribution/topology.hpp"
#include "model/expert.hpp"
#include "model/gate.hpp"

namespace dmoe::distribution {

/// Whether a backward pass needs dx: not in the first layer.
enum class InputGradient { wanted, skipped };

class ShardedMixture {
 public:
  /// Weights from the seed, the same for any number of ranks; `layer` counts from 1; buffers for batches of
  /// up to `capacity` rows. `ranks` must outlive the layer. Local.
  ShardedMixture(const model::LayerSpec& spec, Index inputs, Index layer, InputGradient input_gradient,
                 const comm::Communicator& ranks, std::uint64_t seed, Index capacity);

  /// z (B, H) on the coordinator, from the layer's input x (B, D) on every rank and the mask (N) of this
  /// step. Collective over the ranks.
  void forward(ConstMatrixView x, std::span<const std::uint8_t> masked);
  /// (B, H): z on the coordinator, the message buffer for it elsewhere; shared by the layer above.
  SharedMatrix& output() { return output_; }
  /// (B, N): the masked and renormalised gates of the last forward pass, on every rank.
  ConstMatrixView gates() { return gates_.arrived(rows_); }

  /// (B, H): dLoss/dz, for the coordinator to fill before backward().
  SharedMatrix& d_output() { return d_output_; }
  /// All gradients of the layer from d_output, and dx on the coordinator into d_x (B, D) where it is wanted
  /// (else, and on other ranks, d_x is not touched). `ship` runs on every rank once dx stands, before the
  /// weight gradients, so that the layer below need not wait for those. Collective over the ranks.
  template <class Ship>
  void backward(ConstMatrixView x, MatrixView d_x, Ship ship) {
    backward_to_input(d_x);
    ship();
    backward_to_weights(x);
  }

  /// Visits the layer's parameters below `prefix`, the same list on every rank. Local.
  void for_each_parameter(const std::string& prefix, const model::ParameterVisitor& visit);
  /// What this rank owns.
  const ExpertRange& range() const { return range_; }
  Index experts() const { return topology_.experts(); }

 private:
  void backward_to_input(MatrixView d_x);
  void backward_to_weights(ConstMatrixView x);
  const comm::Communicator* ranks_;
  Topology topology_;
  ExpertRange range_;
  InputGradient input_gradient_;
  Index rows_ = 0;  // B of the last forward pass
  model::Experts experts_;
  model::Gate gate_;
  SharedMatrix gates_;         // (B, N)
  SharedMatrix output_;        // (B, H)
  SharedMatrix d_output_;      // (B, H)
  TreeReduction output_sum_;   // z
  GateGradient d_gates_;       // (B, N)
  Matrix d_expert_inputs_;     // (own experts capacity, D): each own expert's share of dx
  TreeReduction d_input_sum_;  // dx without the gate's share
  Matrix d_gate_input_;        // coordinator: (capacity, D), the gate's share of dx
};

}  // namespace dmoe::distribution
