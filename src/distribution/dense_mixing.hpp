// The paper's mixture: every expert computes every row.
//
//               a row's home                            every rank
//     forward   g = gate(x), masked, renormalised
//               g out to all               ->           f_i(x) of the own experts, meanwhile
//                                                       g_i f_i summed over the own blocks of the tree
//               z = sum along the tree     <-           block sums
//     backward  dz out to all              ->           dg_i = <dz, f_i>
//               gate gradient              <-           dg_i
//               dx = sum along the tree    <-           own experts' shares of dx
//               dW, db of the gate                      dW_i, db_i of the own experts
//
// Home is the coordinator of all rows, or each rank of its own (exchange/homes.hpp).
#pragma once

#include "distribution/input_gradient.hpp"
#include "distribution/mixing.hpp"

namespace dmoe::distribution {

class DenseMixing final : public Mixing {
 public:
  explicit DenseMixing(const MixtureParts& parts);

  bool reads_everywhere() const override { return true; }
  void forward(const exchange::BatchRows& x, const BatchStep& step, MatrixView z) override;
  ConstMatrixView gates() override { return gates_.arrived().values; }
  void add_assigned(std::span<balance::Total> totals) override;
  Index expert_rows() override { return homes_->rows() * parts().topology.experts(); }
  void send_d_output(exchange::SharedMatrix& d_z) override { d_z.share(); }
  void backward_to_input(exchange::SharedMatrix& d_z, MatrixView d_x) override;
  void backward_to_weights(const exchange::BatchRows& x, exchange::SharedMatrix& d_z) override;

 private:
  const exchange::Homes* homes_ = nullptr;  // of the last forward pass
  exchange::SharedMatrix gates_;            // (B, N)
  exchange::TreeReduction output_sum_;      // z
  exchange::GateGradient d_gates_;          // (rows at home, N)
  ExpertInputGradient d_input_;             // dx without the gate's share
};

}  // namespace dmoe::distribution
