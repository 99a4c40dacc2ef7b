// The experts of one layer over E ranks, all of them side by side: z = (f_1(x), .., f_N(x)), no gate.
//
//               a row's home                            every rank
//     forward                                           f_i(x) of the own experts
//               z                          <-           f_i
//     backward  their part of dz to all    ->
//               dx = sum along the tree    <-           own experts' shares of dx
//                                                       dW_i, db_i of the own experts
#pragma once

#include "distribution/input_gradient.hpp"
#include "distribution/layer.hpp"
#include "model/expert.hpp"

namespace dmoe::distribution {

class ConcatenatedLayer final : public Layer {
 public:
  ConcatenatedLayer(const model::NetworkSpec& spec, Index layer, const Making& making);

  bool reads_everywhere() override { return true; }
  bool shares_d_output() override { return false; }
  void ship_d_output() override;
  void for_each_parameter(const std::string& prefix, const model::ParameterVisitor& visit) override;

 private:
  void compute(const exchange::BatchRows& x, const BatchStep& step) override;
  void backward_to_input(MatrixView d_x) override;
  void backward_to_weights(const exchange::BatchRows& x) override;

  exchange::ExpertRange own_;
  model::Experts experts_;
  exchange::Concatenation side_by_side_;
  ExpertInputGradient d_input_;
};

}  // namespace dmoe::distribution
