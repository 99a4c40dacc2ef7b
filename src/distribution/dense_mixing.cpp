#include "distribution/dense_mixing.hpp"

namespace dmoe::distribution {

DenseMixing::DenseMixing(const MixtureParts& parts)
    : Mixing(parts),
      gates_(parts.ranks, parts.topology.experts()),
      output_sum_(parts.ranks, parts.topology, parts.outputs, comm::Tag::partial_sums),
      d_gates_(parts.ranks, parts.topology),
      d_input_(parts.ranks, parts.topology, parts.input_gradient, parts.inputs) {}

void DenseMixing::forward(const exchange::BatchRows& x, const BatchStep& step, MatrixView z) {
  const exchange::Homes& homes = step.homes;
  homes_ = &homes;
  model::ExpertGroup& experts = parts().experts;
  output_sum_.begin(homes);
  gates_.begin(homes, exchange::Reach::everywhere);
  with_gate(homes, [&](model::Gate& gate) {
    gate.forward(x.of(homes.own()), step.masked, gates_.own(), step.gate_slices);
  });
  gates_.share();
  with_experts([&](model::ExpertGroup& own) { own.forward(x.values, step.slices); });
  const ConstMatrixView gates = gates_.arrived().values;
  const TimedActivity packing = timed(Activity::packing);
  for (std::size_t k = 0; k < output_sum_.blocks().size(); ++k) {
    model::weighted_tree_sum(output_sum_.blocks()[k], gates, experts.outputs(), experts.first(),
                             output_sum_.block(static_cast<Index>(k)), experts.arrangement());
  }
  output_sum_.send();
  output_sum_.combine(z);
  gates_.finish();
}

void DenseMixing::add_assigned(std::span<balance::Total> totals) {
  const ConstMatrixView g = gates();
  const exchange::ExpertRange own = parts().range();
  for (Index b = 0; b < g.rows; ++b) {
    for (Index i = own.first; i < own.end(); ++i) totals[size(i)] += balance::to_total(g(b, i));
  }
}

void DenseMixing::backward_to_input(exchange::SharedMatrix& d_z, MatrixView d_x) {
  model::ExpertGroup& experts = parts().experts;
  d_gates_.begin(*homes_);
  d_input_.begin(*homes_);
  const ConstMatrixView d_output = d_z.arrived().values;
  with_experts([&](model::ExpertGroup& own) { own.backward_output(gates(), d_output, d_gates_.own()); });
  d_gates_.send();
  d_input_.send(experts);
  const ConstMatrixView d_gates = d_gates_.collect();
  with_gate(*homes_,
            [&](model::Gate& gate) { gate.backward_input(gates_.own(), d_gates, d_gate_input(*homes_)); });
  const TimedActivity packing = timed(Activity::packing);
  d_input_.combine(d_x);
  if (homes_->has_gates()) add_gate_share(d_x);
}

void DenseMixing::backward_to_weights(const exchange::BatchRows& x, exchange::SharedMatrix& d_z) {
  with_gate(*homes_, [&](model::Gate& gate) { gate.backward_weights(x.of(homes_->own())); });
  with_experts([](model::ExpertGroup& own) { own.backward_weights(); });
  d_z.finish();
}

}  // namespace dmoe::distribution
