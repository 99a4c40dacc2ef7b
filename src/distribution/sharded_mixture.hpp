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

#include "distribution/input_gradient.hpp"
#include "distribution/layer.hpp"
#include "model/gate.hpp"

namespace dmoe::distribution {

/// A layer of kind mixture or classifier_mixture: they differ in their experts alone.
class ShardedMixture final : public Layer {
 public:
  ShardedMixture(const model::NetworkSpec& spec, Index layer, const comm::Communicator& ranks,
                 std::uint64_t seed, Index capacity);

  void forward(ConstMatrixView x, std::span<const std::uint8_t> masked) override;
  ConstMatrixView gates() override { return gates_.arrived(rows_); }
  ExpertRange range() const override { return range_; }
  void ship_d_output() override { shared_d_output().share(rows_); }
  void for_each_parameter(const std::string& prefix, const model::ParameterVisitor& visit) override;

 private:
  void backward_to_input(MatrixView d_x) override;
  void backward_to_weights(ConstMatrixView x) override;

  ExpertRange range_;  // own experts
  std::unique_ptr<model::ExpertGroup> experts_;
  model::Gate gate_;
  SharedMatrix gates_;           // (B, N)
  TreeReduction output_sum_;     // z
  GateGradient d_gates_;         // (B, N)
  ExpertInputGradient d_input_;  // dx without the gate's share
  Matrix d_gate_input_;          // coordinator: (capacity, D), the gate's share of dx
};

}  // namespace dmoe::distribution
