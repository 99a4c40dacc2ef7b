#include "distribution/sharded_mixture.hpp"

#include "model/classifier_expert.hpp"

namespace dmoe::distribution {

namespace {

/// The experts of a layer that this rank owns.
std::unique_ptr<model::ExpertGroup> make_experts(const model::NetworkSpec& spec, Index layer,
                                                 const ExpertRange& own, std::uint64_t seed, Index capacity) {
  const model::LayerSpec& of = spec.layers[size(layer)];
  const Index inputs = spec.input_width(layer);
  if (of.kind == model::LayerKind::classifier_mixture) {
    return std::make_unique<model::ClassifierExperts>(of, inputs, spec.classes, layer + 1, own.first,
                                                      own.count, seed, capacity);
  }
  return std::make_unique<model::Experts>(of, inputs, layer + 1, own.first, own.count, seed, capacity);
}

}  // namespace

ShardedMixture::ShardedMixture(const model::NetworkSpec& spec, Index layer, const comm::Communicator& ranks,
                               std::uint64_t seed, Index capacity)
    : Layer(ranks, capacity, spec.output_width(layer)),
      range_(topology_of(spec, layer, ranks).range(ranks.rank())),
      experts_(make_experts(spec, layer, range_, seed, capacity)),
      gate_(spec.layers[size(layer)], spec.input_width(layer), layer + 1, presence(), seed, capacity),
      gates_(ranks, capacity, spec.layers[size(layer)].experts),
      output_sum_(ranks, topology_of(spec, layer, ranks), capacity, spec.output_width(layer),
                  comm::Tag::partial_sums),
      d_gates_(ranks, topology_of(spec, layer, ranks), capacity),
      d_input_(ranks, topology_of(spec, layer, ranks), input_gradient_of(layer), capacity,
               spec.input_width(layer)),
      d_gate_input_(d_input_.is_wanted() && ranks.is_coordinator() ? capacity : 0, spec.input_width(layer)) {}

void ShardedMixture::forward(ConstMatrixView x, std::span<const std::uint8_t> masked) {
  rows_ = x.rows;
  output_sum_.begin(rows_);
  if (ranks().is_coordinator()) gate_.forward(x, masked, gates_.matrix(rows_));
  gates_.share(rows_);
  experts_->forward(x);
  const ConstMatrixView gates = gates_.arrived(rows_);
  for (std::size_t k = 0; k < output_sum_.blocks().size(); ++k) {
    model::weighted_tree_sum(output_sum_.blocks()[k], gates, experts_->outputs(), range_.first,
                             output_sum_.block(static_cast<Index>(k)));
  }
  output_sum_.send();
  output_sum_.combine(output().matrix(rows_));
  gates_.finish();
}

void ShardedMixture::backward_to_input(MatrixView d_x) {
  d_gates_.begin(rows_);
  d_input_.begin(rows_);
  const ConstMatrixView gates = gates_.arrived(rows_);
  experts_->backward_output(gates, shared_d_output().arrived(rows_), d_gates_.own());
  d_gates_.send();
  d_input_.send(*experts_);
  const ConstMatrixView d_gates = d_gates_.collect();
  if (ranks().is_coordinator()) {
    gate_.backward_input(gates, d_gates,
                         d_input_.is_wanted() ? d_gate_input_.first_rows(rows_) : MatrixView{});
  }
  d_input_.combine(d_x);
  if (!d_input_.is_wanted() || !ranks().is_coordinator()) return;
  // x reaches the loss through the experts and through the gate: dx is the sum of both paths.
  const auto gate_share = d_gate_input_.first_rows(rows_).values();
  for (std::size_t i = 0; i < gate_share.size(); ++i) d_x.data[i] += gate_share[i];
}

void ShardedMixture::backward_to_weights(ConstMatrixView x) {
  if (ranks().is_coordinator()) gate_.backward_weights(x);
  experts_->backward_weights(x);
  shared_d_output().finish();
}

void ShardedMixture::for_each_parameter(const std::string& prefix, const model::ParameterVisitor& visit) {
  experts_->for_each_parameter(prefix + "/experts", visit);
  gate_.for_each_parameter(prefix + "/gate", visit);
}

}  // namespace dmoe::distribution
