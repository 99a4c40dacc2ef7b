#include "distribution/local_layer.hpp"

#include <algorithm>

namespace dmoe::distribution {

LocalLayer::LocalLayer(const model::NetworkSpec& spec, Index layer, const Making& making)
    : Layer(making, spec.output_width(layer)),
      input_gradient_(input_gradient_of(layer)),
      expert_(spec.layers[size(layer)], spec.input_width(layer), layer + 1, 0,
              making.ranks.is_coordinator() ? 1 : 0, making.seed, making.gradient_blocks) {}

void LocalLayer::forward(ConstMatrixView x, const BatchStep& step) {
  rows_ = x.rows;
  if (!ranks().is_coordinator()) return;
  expert_.forward(x, step.slices);
  std::ranges::copy(expert_.outputs().values(), output().matrix(rows_).data);
}

void LocalLayer::backward_to_input(MatrixView d_x) {
  if (!ranks().is_coordinator()) return;
  expert_.backward_output(d_output());
  if (input_gradient_ == InputGradient::wanted) expert_.backward_input(d_x);
}

void LocalLayer::backward_to_weights(ConstMatrixView /*x*/) {
  if (ranks().is_coordinator()) expert_.backward_weights();
}

void LocalLayer::for_each_parameter(const std::string& prefix, const model::ParameterVisitor& visit) {
  expert_.for_each_parameter(prefix + "/experts", visit);
}

}  // namespace dmoe::distribution
