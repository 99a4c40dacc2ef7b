#include "distribution/dense_mixing.hpp"

namespace dmoe::distribution {

DenseMixing::DenseMixing(const MixtureParts& parts)
    : Mixing(parts),
      gates_(parts.ranks, parts.capacity, parts.topology.experts()),
      output_sum_(parts.ranks, parts.topology, parts.capacity, parts.outputs, comm::Tag::partial_sums),
      d_gates_(parts.ranks, parts.topology, parts.capacity),
      d_input_(parts.ranks, parts.topology, parts.input_gradient, parts.capacity, parts.inputs) {}

void DenseMixing::forward(ConstMatrixView x, const BatchStep& step, MatrixView z) {
  rows_ = x.rows;
  model::ExpertGroup& experts = parts().experts;
  output_sum_.begin(rows_);
  if (ranks().is_coordinator()) parts().gate.forward(x, step.masked, gates_.matrix(rows_), step.slices);
  gates_.share(rows_);
  experts.forward(x, step.slices);
  const ConstMatrixView gates = gates_.arrived(rows_);
  for (std::size_t k = 0; k < output_sum_.blocks().size(); ++k) {
    model::weighted_tree_sum(output_sum_.blocks()[k], gates, experts.outputs(), experts.first(),
                             output_sum_.block(static_cast<Index>(k)));
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
  d_gates_.begin(rows_);
  d_input_.begin(rows_);
  const ConstMatrixView gates = gates_.arrived(rows_);
  experts.backward_output(gates, d_z.arrived(rows_), d_gates_.own());
  d_gates_.send();
  d_input_.send(experts);
  const ConstMatrixView d_gates = d_gates_.collect();
  if (ranks().is_coordinator()) parts().gate.backward_input(gates, d_gates, d_gate_input(rows_));
  d_input_.combine(d_x);
  add_gate_share(d_x);
}

void DenseMixing::backward_to_weights(ConstMatrixView x, exchange::SharedMatrix& d_z) {
  if (ranks().is_coordinator()) parts().gate.backward_weights(x);
  parts().experts.backward_weights();
  d_z.finish();
}

}  // namespace dmoe::distribution
