#include "distribution/concatenated_layer.hpp"

namespace dmoe::distribution {

ConcatenatedLayer::ConcatenatedLayer(const model::NetworkSpec& spec, Index layer, const Making& making)
    : Layer(making, spec.output_width(layer)),
      own_(topology_of(spec, layer, making.ranks).range(making.ranks.rank())),
      experts_(spec.layers[size(layer)], spec.input_width(layer), layer + 1, own_.first, own_.count,
               making.seed, making.gradient_blocks),
      side_by_side_(making.ranks, topology_of(spec, layer, making.ranks), spec.layers[size(layer)].hidden),
      d_input_(making.ranks, topology_of(spec, layer, making.ranks), input_gradient_of(layer),
               spec.input_width(layer)) {}

void ConcatenatedLayer::compute(const exchange::BatchRows& x, const BatchStep& step) {
  side_by_side_.begin_gather(homes());
  experts_.forward(x.values, step.slices);
  side_by_side_.send(experts_.outputs());
  side_by_side_.collect(experts_.outputs(), output().own());
}

void ConcatenatedLayer::ship_d_output() {
  side_by_side_.scatter(d_output());
}

void ConcatenatedLayer::backward_to_input(MatrixView d_x) {
  d_input_.begin(homes());
  experts_.backward_output(side_by_side_.arrived());
  d_input_.send(experts_);
  d_input_.combine(d_x);
}

void ConcatenatedLayer::backward_to_weights(const exchange::BatchRows& /*x*/) {
  experts_.backward_weights();
  side_by_side_.finish();
}

void ConcatenatedLayer::for_each_parameter(const std::string& prefix, const model::ParameterVisitor& visit) {
  experts_.for_each_parameter(prefix + "/experts", visit);
}

}  // namespace dmoe::distribution
