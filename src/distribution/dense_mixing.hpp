// The paper's mixture: every expert computes every row.
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
#include "distribution/mixing.hpp"

namespace dmoe::distribution {

class DenseMixing final : public Mixing {
 public:
  explicit DenseMixing(const MixtureParts& parts);

  bool reads_everywhere() const override { return true; }
  void forward(ConstMatrixView x, const BatchStep& step, MatrixView z) override;
  ConstMatrixView gates() override { return gates_.arrived(rows_); }
  void add_assigned(std::span<balance::Total> totals) override;
  Index expert_rows() const override { return rows_ * parts().topology.experts(); }
  void send_d_output(exchange::SharedMatrix& d_z) override { d_z.share(rows_); }
  void backward_to_input(exchange::SharedMatrix& d_z, MatrixView d_x) override;
  void backward_to_weights(ConstMatrixView x, exchange::SharedMatrix& d_z) override;

 private:
  Index rows_ = 0;                      // B of the last forward pass
  exchange::SharedMatrix gates_;        // (B, N)
  exchange::TreeReduction output_sum_;  // z
  exchange::GateGradient d_gates_;      // (B, N)
  ExpertInputGradient d_input_;         // dx without the gate's share
};

}  // namespace dmoe::distribution
