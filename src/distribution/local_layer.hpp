// A layer that is not split: max(0, W x + b) where rows are at home. The single expert and the dense layer of
// the paper's baselines.
#pragma once

#include "distribution/input_gradient.hpp"
#include "distribution/layer.hpp"
#include "model/expert.hpp"

namespace dmoe::distribution {

class LocalLayer final : public Layer {
 public:
  LocalLayer(const model::NetworkSpec& spec, Index layer, const Making& making);

  bool reads_everywhere() override { return false; }
  void ship_d_output() override {}
  void for_each_parameter(const std::string& prefix, const model::ParameterVisitor& visit) override;

 private:
  void compute(const exchange::BatchRows& x, const BatchStep& step) override;
  void backward_to_input(MatrixView d_x) override;
  void backward_to_weights(const exchange::BatchRows& x) override;

  InputGradient input_gradient_;
  model::Experts expert_;  // one where rows are at home, none elsewhere
};

}  // namespace dmoe::distribution
