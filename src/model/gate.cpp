#include "model/gate.hpp"

#include <cassert>

#include "numerics/kernels.hpp"
#include "numerics/linear.hpp"

namespace dmoe::model {

using numerics::Activation;

Gate::Gate(const LayerSpec& spec, Index inputs, Index layer, Presence presence, std::uint64_t seed,
           Index capacity)
    : spec_(spec), inputs_(inputs) {
  if (presence == Presence::elsewhere) return;
  hidden_weight_ = Weights(spec.gate_hidden, inputs);
  hidden_bias_ = Weights(1, spec.gate_hidden);
  output_weight_ = Weights(spec.experts, spec.gate_hidden);
  output_bias_ = Weights(1, spec.experts);
  hidden_ = Matrix(capacity, spec.gate_hidden);
  logits_ = Matrix(capacity, spec.experts);
  d_hidden_ = Matrix(capacity, spec.gate_hidden);
  d_logits_ = Matrix(capacity, spec.experts);
  initialise(seed, layer, TensorRole::gate_hidden_weight, 0, hidden_weight_.value.view());
  initialise(seed, layer, TensorRole::gate_output_weight, 0, output_weight_.value.view());
}

void Gate::forward(ConstMatrixView x, std::span<const std::uint8_t> masked, MatrixView gates) {
  rows_ = x.rows;
  const MatrixView hidden = hidden_.first_rows(rows_);
  const MatrixView logits = logits_.first_rows(rows_);
  numerics::linear(x, hidden_weight_.value.view(), hidden_bias_.value.values(), Activation::relu, hidden);
  numerics::linear(hidden, output_weight_.value.view(), output_bias_.value.values(), Activation::identity,
                   logits);
  numerics::masked_softmax(logits, masked, gates);
}

void Gate::backward_input(ConstMatrixView gates, ConstMatrixView d_gates, MatrixView d_x) {
  assert(gates.rows == rows_ && d_gates.rows == rows_);
  const MatrixView d_logits = d_logits_.first_rows(rows_);
  const MatrixView d_hidden = d_hidden_.first_rows(rows_);
  numerics::softmax_gradient(gates, d_gates, d_logits);
  numerics::linear_input_gradient(d_logits, output_weight_.value.view(), d_hidden);
  numerics::relu_gradient(hidden_.first_rows(rows_), d_hidden);
  if (d_x.rows > 0) numerics::linear_input_gradient(d_hidden, hidden_weight_.value.view(), d_x);
}

void Gate::backward_weights(ConstMatrixView x) {
  assert(x.rows == rows_);
  const ConstMatrixView d_logits = d_logits_.first_rows(rows_);
  const ConstMatrixView d_hidden = d_hidden_.first_rows(rows_);
  numerics::linear_weight_gradient(d_logits, hidden_.first_rows(rows_), output_weight_.gradient.view());
  numerics::column_sums(d_logits, output_bias_.gradient.values());
  numerics::linear_weight_gradient(d_hidden, x, hidden_weight_.gradient.view());
  numerics::column_sums(d_hidden, hidden_bias_.gradient.values());
}

void Gate::for_each_parameter(const std::string& prefix, const ParameterVisitor& visit) {
  const Index hidden = hidden_weight_.value.rows();  // 0 where the gate is elsewhere
  const Index experts = output_weight_.value.rows();
  visit({prefix + "/hidden_weight",
         {spec_.gate_hidden, inputs_},
         {"gate_hidden", "input"},
         0,
         hidden,
         hidden_weight_.value.values(),
         hidden_weight_.gradient.values()});
  visit({prefix + "/hidden_bias",
         {spec_.gate_hidden},
         {"gate_hidden"},
         0,
         hidden,
         hidden_bias_.value.values(),
         hidden_bias_.gradient.values()});
  visit({prefix + "/output_weight",
         {spec_.experts, spec_.gate_hidden},
         {"expert", "gate_hidden"},
         0,
         experts,
         output_weight_.value.values(),
         output_weight_.gradient.values()});
  visit({prefix + "/output_bias",
         {spec_.experts},
         {"expert"},
         0,
         experts,
         output_bias_.value.values(),
         output_bias_.gradient.values()});
}

}  // namespace dmoe::model
