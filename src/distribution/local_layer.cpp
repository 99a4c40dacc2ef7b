#include "distribution/local_layer.hpp"

#include <algorithm>

namespace dmoe::distribution {

LocalLayer::LocalLayer(const model::NetworkSpec& spec, Index layer, const Making& making)
    : Layer(making, spec.output_width(layer)),
      input_gradient_(input_gradient_of(layer)),
      expert_(spec.layers[size(layer)], spec.input_width(layer), layer + 1, 0,
              making.presence() == model::Presence::here ? 1 : 0, making.seed, making.gate_gradient_blocks) {}

void LocalLayer::compute(const exchange::BatchRows& x, const BatchStep& step) {
  if (!homes().has_gates()) return;
  expert_.forward(x.of(homes().own()), step.gate_slices);
  std::ranges::copy(expert_.outputs().values(), output().own().data);
}

void LocalLayer::backward_to_input(MatrixView d_x) {
  if (!homes().has_gates()) return;
  expert_.backward_output(d_output());
  if (input_gradient_ == InputGradient::wanted) expert_.backward_input(d_x);
}

void LocalLayer::backward_to_weights(const exchange::BatchRows& /*x*/) {
  if (homes().has_gates()) expert_.backward_weights();
}

void LocalLayer::for_each_parameter(const std::string& prefix, const model::ParameterVisitor& visit) {
  expert_.for_each_parameter(prefix + "/experts", [&](model::Parameter parameter) {
    parameter.at_home = true;
    visit(parameter);
  });
}

}  // namespace dmoe::distribution
