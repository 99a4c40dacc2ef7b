#include "model/classifier_expert.hpp"

#include <cassert>

#include "numerics/kernels.hpp"
#include "numerics/linear.hpp"

namespace dmoe::model {

ClassifierExperts::ClassifierExperts(const LayerSpec& spec, Index inputs, Index classes, Index layer,
                                     Index first, Index count, std::uint64_t seed, Index capacity)
    : experts_(spec.experts),
      hidden_(spec.hidden),
      classes_(classes),
      first_(first),
      count_(count),
      hidden_weight_(count * spec.hidden, inputs),
      hidden_bias_(count, spec.hidden),
      output_weight_(count * classes, spec.hidden),
      output_bias_(count, classes),
      hidden_values_(count * capacity, spec.hidden),
      outputs_(count * capacity, classes),
      d_hidden_(count * capacity, spec.hidden),
      d_logits_(count * capacity, classes),
      no_class_masked_(size(classes)) {
  for (Index i = 0; i < count_; ++i) {
    initialise(seed, layer, TensorRole::expert_weight, first_ + i,
               hidden_weight_.value.view().rows_from(i * hidden_, hidden_));
    initialise(seed, layer, TensorRole::expert_output_weight, first_ + i,
               output_weight_.value.view().rows_from(i * classes_, classes_));
  }
}

void ClassifierExperts::forward(ConstMatrixView x) {
  rows_ = x.rows;
  for (Index i = 0; i < count_; ++i) {
    const MatrixView hidden = part(hidden_values_, i);
    const MatrixView output = part(outputs_, i);
    numerics::linear(x, hidden_weight_.value.view().rows_from(i * hidden_, hidden_),
                     hidden_bias_.value.view().row(i), numerics::Activation::relu, hidden);
    numerics::linear(hidden, output_weight_.value.view().rows_from(i * classes_, classes_),
                     output_bias_.value.view().row(i), numerics::Activation::identity, output);
    numerics::masked_softmax(output, no_class_masked_, output);
  }
}

void ClassifierExperts::backward_output(ConstMatrixView gates, ConstMatrixView d_z, MatrixView d_gates) {
  assert(gates.columns == experts_ && d_z.rows == rows_ && d_gates.columns == count_);
  for (Index i = 0; i < count_; ++i) {
    const ConstMatrixView output = part(outputs_, i);
    const MatrixView d_logits = part(d_logits_, i);
    const MatrixView d_hidden = part(d_hidden_, i);
    for (Index b = 0; b < rows_; ++b) {
      const auto d = d_z.row(b);
      const auto d_output = d_logits.row(b);
      d_gates(b, i) = numerics::dot(d, output.row(b));
      const float gate = gates(b, first_ + i);
      for (std::size_t c = 0; c < d.size(); ++c) d_output[c] = gate * d[c];
    }
    numerics::softmax_gradient(output, d_logits, d_logits);
    numerics::linear_input_gradient(d_logits, output_weight_.value.view().rows_from(i * classes_, classes_),
                                    d_hidden);
    numerics::relu_gradient(part(hidden_values_, i), d_hidden);
  }
}

void ClassifierExperts::backward_input(MatrixView d_inputs) const {
  for (Index i = 0; i < count_; ++i) {
    numerics::linear_input_gradient(part(d_hidden_, i),
                                    hidden_weight_.value.view().rows_from(i * hidden_, hidden_),
                                    d_inputs.rows_from(i * rows_, rows_));
  }
}

void ClassifierExperts::backward_weights(ConstMatrixView x) {
  assert(x.rows == rows_);
  for (Index i = 0; i < count_; ++i) {
    numerics::linear_weight_gradient(part(d_logits_, i), part(hidden_values_, i),
                                     output_weight_.gradient.view().rows_from(i * classes_, classes_));
    numerics::column_sums(part(d_logits_, i), output_bias_.gradient.view().row(i));
    numerics::linear_weight_gradient(part(d_hidden_, i), x,
                                     hidden_weight_.gradient.view().rows_from(i * hidden_, hidden_));
    numerics::column_sums(part(d_hidden_, i), hidden_bias_.gradient.view().row(i));
  }
}

void ClassifierExperts::for_each_parameter(const std::string& prefix, const ParameterVisitor& visit) {
  const auto list = [&](const char* name, std::vector<Index> shape, std::vector<std::string> dimensions,
                        Weights& weights) {
    visit({prefix + name, std::move(shape), std::move(dimensions), first_, count_, weights.value.values(),
           weights.gradient.values()});
  };
  list("/hidden_weight", {experts_, hidden_, hidden_weight_.value.columns()}, {"expert", "hidden", "input"},
       hidden_weight_);
  list("/hidden_bias", {experts_, hidden_}, {"expert", "hidden"}, hidden_bias_);
  list("/output_weight", {experts_, classes_, hidden_}, {"expert", "class", "hidden"}, output_weight_);
  list("/output_bias", {experts_, classes_}, {"expert", "class"}, output_bias_);
}

}  // namespace dmoe::model
