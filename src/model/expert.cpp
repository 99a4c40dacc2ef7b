#include "model/expert.hpp"

#include <algorithm>
#include <cassert>

#include "numerics/kernels.hpp"
#include "numerics/linear.hpp"

namespace dmoe::model {

Experts::Experts(const LayerSpec& spec, Index inputs, Index layer, Index first, Index count,
                 std::uint64_t seed, Index capacity)
    : experts_(spec.experts),
      hidden_(spec.hidden),
      first_(first),
      count_(count),
      weight_(count * spec.hidden, inputs),
      bias_(count, spec.hidden),
      outputs_(count * capacity, spec.hidden),
      d_activation_(count * capacity, spec.hidden) {
  for (Index i = 0; i < count_; ++i)
    initialise(seed, layer, TensorRole::expert_weight, first_ + i, weight(i));
}

void Experts::forward(ConstMatrixView x) {
  rows_ = x.rows;
  for (Index i = 0; i < count_; ++i) {
    numerics::linear(x, weight(i), bias_.value.view().row(i), numerics::Activation::relu, part(outputs_, i));
  }
}

void Experts::backward_output(ConstMatrixView gates, ConstMatrixView d_z, MatrixView d_gates) {
  assert(gates.columns == experts_ && d_z.rows == rows_ && d_gates.columns == count_);
  for (Index i = 0; i < count_; ++i) {
    const ConstMatrixView output = part(outputs_, i);
    const MatrixView d_activation = part(d_activation_, i);
    for (Index b = 0; b < rows_; ++b) {
      const auto f = output.row(b);
      const auto d = d_z.row(b);
      const auto out = d_activation.row(b);
      d_gates(b, i) = numerics::dot(d, f);
      const float gate = gates(b, first_ + i);
      for (std::size_t h = 0; h < f.size(); ++h) out[h] = f[h] > 0 ? gate * d[h] : 0.0F;
    }
  }
}

void Experts::backward_output(ConstMatrixView d_outputs) {
  assert(d_outputs.rows == count_ * rows_ && d_outputs.columns == hidden_);
  const MatrixView d_activation = d_activation_.first_rows(d_outputs.rows);
  std::ranges::copy(d_outputs.values(), d_activation.data);
  numerics::relu_gradient(outputs(), d_activation);
}

void Experts::backward_input(MatrixView d_inputs) const {
  for (Index i = 0; i < count_; ++i) {
    numerics::linear_input_gradient(part(d_activation_, i), weight(i), d_inputs.rows_from(i * rows_, rows_));
  }
}

void Experts::backward_weights(ConstMatrixView x) {
  assert(x.rows == rows_);
  for (Index i = 0; i < count_; ++i) {
    numerics::linear_weight_gradient(part(d_activation_, i), x,
                                     weight_.gradient.view().rows_from(i * hidden_, hidden_));
    numerics::column_sums(part(d_activation_, i), bias_.gradient.view().row(i));
  }
}

void Experts::for_each_parameter(const std::string& prefix, const ParameterVisitor& visit) {
  const Index inputs = weight_.value.columns();
  visit({prefix + "/weight",
         {experts_, hidden_, inputs},
         {"expert", "hidden", "input"},
         first_,
         count_,
         weight_.value.values(),
         weight_.gradient.values()});
  visit({prefix + "/bias",
         {experts_, hidden_},
         {"expert", "hidden"},
         first_,
         count_,
         bias_.value.values(),
         bias_.gradient.values()});
}

}  // namespace dmoe::model
