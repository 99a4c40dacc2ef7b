// One mixture layer over E ranks: z = sum_i g_i(x) f_i(x), the gate where rows are at home, each expert on
// its owner. How they come together is dense_mixing.hpp or routed_mixing.hpp.
#pragma once

#include <memory>

#include "distribution/mixing.hpp"

namespace dmoe::distribution {

/// A layer of kind mixture or classifier_mixture: they differ in their experts alone.
class ShardedMixture final : public Layer, public Mixture {
 public:
  ShardedMixture(const model::NetworkSpec& spec, Index layer, const Making& making);

  bool reads_everywhere() override { return mixing().reads_everywhere(); }
  void ship_d_output() override { mixing().send_d_output(shared_d_output()); }
  void for_each_parameter(const std::string& prefix, const model::ParameterVisitor& visit) override;

  Mixture* mixture() override { return this; }
  void route(const model::Routing& routing) override;
  ConstMatrixView gates() override { return mixing().gates(); }
  void add_assigned(std::span<balance::Total> totals) override { mixing().add_assigned(totals); }
  Index expert_rows() override { return mixing().expert_rows(); }

 private:
  void compute(const exchange::BatchRows& x, const BatchStep& step) override {
    mixing().forward(x, step, output().own());
  }
  void backward_to_input(MatrixView d_x) override { mixing().backward_to_input(shared_d_output(), d_x); }
  void backward_to_weights(const exchange::BatchRows& x) override {
    mixing().backward_to_weights(x, shared_d_output());
  }

  Mixing& mixing();

  std::unique_ptr<model::ExpertGroup> experts_;  // own experts
  model::Gate gate_;
  MixtureParts parts_;
  const model::Routing* routing_;   // in force
  std::unique_ptr<Mixing> mixing_;  // made when it is first needed: the two kinds take memory of their own
};

}  // namespace dmoe::distribution
