#include "distribution/sharded_mixture.hpp"

namespace dmoe::distribution {

namespace {

model::Presence presence(const comm::Communicator& ranks) {
  return ranks.is_coordinator() ? model::Presence::here : model::Presence::elsewhere;
}

}  // namespace

ShardedMixture::ShardedMixture(const model::LayerSpec& spec, Index inputs, Index layer,
                               InputGradient input_gradient, const comm::Communicator& ranks,
                               std::uint64_t seed, Index capacity)
    : ranks_(&ranks),
      topology_(spec.experts, ranks.size()),
      range_(topology_.range(ranks.rank())),
      input_gradient_(input_gradient),
      experts_(spec, inputs, layer, range_.first, range_.count, seed, capacity),
      gate_(spec, inputs, layer, presence(ranks), seed, capacity),
      gates_(ranks, capacity, spec.experts),
      output_(ranks, capacity, spec.hidden),
      d_output_(ranks, capacity, spec.hidden),
      output_sum_(ranks, topology_, capacity, spec.hidden, comm::Tag::partial_sums),
      d_gates_(ranks, topology_, capacity),
      d_expert_inputs_(input_gradient == InputGradient::wanted ? range_.count * capacity : 0, inputs),
      d_input_sum_(ranks, topology_, input_gradient == InputGradient::wanted ? capacity : 0, inputs,
                   comm::Tag::input_gradient),
      d_gate_input_(input_gradient == InputGradient::wanted && ranks.is_coordinator() ? capacity : 0,
                    inputs) {}

void ShardedMixture::forward(ConstMatrixView x, std::span<const std::uint8_t> masked) {
  rows_ = x.rows;
  output_sum_.begin(rows_);
  if (ranks_->is_coordinator()) gate_.forward(x, masked, gates_.matrix(rows_));
  gates_.share(rows_);
  experts_.forward(x);
  const ConstMatrixView gates = gates_.arrived(rows_);
  for (std::size_t k = 0; k < output_sum_.blocks().size(); ++k) {
    model::weighted_tree_sum(output_sum_.blocks()[k], gates, experts_.outputs(), range_.first,
                             output_sum_.block(static_cast<Index>(k)));
  }
  output_sum_.send();
  output_sum_.combine(output_.matrix(rows_));
  gates_.finish();
}

void ShardedMixture::backward_to_input(MatrixView d_x) {
  const bool wants_input = input_gradient_ == InputGradient::wanted;
  d_gates_.begin(rows_);
  if (wants_input) d_input_sum_.begin(rows_);
  const ConstMatrixView gates = gates_.arrived(rows_);
  experts_.backward_output(gates, d_output_.arrived(rows_), d_gates_.own());
  d_gates_.send();
  if (wants_input) {
    experts_.backward_input(d_expert_inputs_.view());
    for (std::size_t k = 0; k < d_input_sum_.blocks().size(); ++k) {
      model::tree_sum(d_input_sum_.blocks()[k], topology_.experts(), d_expert_inputs_.view(), range_.first,
                      d_input_sum_.block(static_cast<Index>(k)));
    }
    d_input_sum_.send();
  }
  const ConstMatrixView d_gates = d_gates_.collect();
  if (ranks_->is_coordinator()) {
    gate_.backward_input(gates, d_gates, wants_input ? d_gate_input_.first_rows(rows_) : MatrixView{});
  }
  if (!wants_input) return;
  d_input_sum_.combine(d_x);
  if (!ranks_->is_coordinator()) return;
  // x reaches the loss through the experts and through the gate: dx is the sum of both paths.
  const auto gate_share = d_gate_input_.first_rows(rows_).values();
  for (std::size_t i = 0; i < gate_share.size(); ++i) d_x.data[i] += gate_share[i];
}

void ShardedMixture::backward_to_weights(ConstMatrixView x) {
  if (ranks_->is_coordinator()) gate_.backward_weights(x);
  experts_.backward_weights(x);
  d_output_.finish();
}

void ShardedMixture::for_each_parameter(const std::string& prefix, const model::ParameterVisitor& visit) {
  experts_.for_each_parameter(prefix + "/experts", visit);
  gate_.for_each_parameter(prefix + "/gate", visit);
}

}  // namespace dmoe::distribution
