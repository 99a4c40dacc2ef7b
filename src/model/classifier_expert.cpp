#include "model/classifier_expert.hpp"

#include <algorithm>

#include "numerics/kernels.hpp"
#include "numerics/tiled_linear.hpp"

namespace dmoe::model {

ClassifierExperts::ClassifierExperts(const LayerSpec& spec, Index inputs, Index classes, Index layer,
                                     Index first, Index count, std::uint64_t seed, Index gradient_blocks)
    : ExpertGroup(spec, first, count),
      experts_(spec.experts),
      hidden_(spec.hidden),
      classes_(classes),
      hidden_weight_(count * spec.hidden, inputs, gradient_blocks),
      hidden_bias_(count, spec.hidden, gradient_blocks),
      output_weight_(count * classes, spec.hidden, gradient_blocks),
      output_bias_(count, classes, gradient_blocks),
      hidden_values_(spec.hidden),
      outputs_(classes),
      d_hidden_(spec.hidden),
      d_logits_(classes),
      no_class_masked_(size(classes)) {
  for (Index i = 0; i < count; ++i) {
    initialise(seed, layer, TensorRole::expert_weight, first + i, of(hidden_weight_.value, i, hidden_));
    initialise(seed, layer, TensorRole::expert_output_weight, first + i,
               of(output_weight_.value, i, classes_));
  }
}

void ClassifierExperts::compute() {
  hidden_values_.rows(buffer_rows());
  outputs_.rows(buffer_rows());
  for_each_product([&](Index i, const ExpertBatch& batch) {
    const MatrixView hidden = part(hidden_values_, batch);
    const MatrixView output = part(outputs_, batch);
    numerics::linear(batch.x, of(hidden_weight_.value, i, hidden_), hidden_bias_.value.view().row(i),
                     numerics::Activation::relu, hidden, {tile_rows()});
    numerics::linear(hidden, of(output_weight_.value, i, classes_), output_bias_.value.view().row(i),
                     numerics::Activation::identity, output, {tile_rows()});
    numerics::masked_softmax(output, no_class_masked_, output);
  });
}

void ClassifierExperts::backward_output(std::span<const ExpertUse> uses, ConstMatrixView d_z) {
  d_logits_.rows(buffer_rows());
  d_hidden_.rows(buffer_rows());
  for_each_use(uses, [&](const ExpertBatch& batch, const ExpertUse& use) {
    const ConstMatrixView output = part(outputs_, batch);
    const MatrixView d_logits = part(d_logits_, batch);
    for (Index r = 0; r < batch.rows; ++r) {
      const auto d = d_z.row(use.z_row(r));
      const auto d_output = d_logits.row(r);
      use.d_gates[r] = numerics::dot(d, output.row(r));
      const float gate = use.gates[r];
      for (std::size_t c = 0; c < d.size(); ++c) d_output[c] = gate * d[c];
    }
    std::ranges::fill(d_logits.rows_from(batch.rows, d_logits.rows - batch.rows).values(), 0.0F);
    numerics::softmax_gradient(output, d_logits, d_logits);
  });
  for_each_product([&](Index i, const ExpertBatch& batch) {
    const MatrixView d_hidden = part(d_hidden_, batch);
    numerics::linear_input_gradient(part(d_logits_, batch), of(output_weight_.value, i, classes_), d_hidden,
                                    tile_rows());
    numerics::relu_gradient(part(hidden_values_, batch), d_hidden);
  });
}

void ClassifierExperts::backward_input(MatrixView d_inputs) const {
  for_each_product([&](Index i, const ExpertBatch& batch) {
    numerics::linear_input_gradient(part(d_hidden_, batch), of(hidden_weight_.value, i, hidden_),
                                    part(d_inputs, batch), tile_rows());
  });
}

void ClassifierExperts::backward_weights() {
  const auto rows_of = [](const GrowingMatrix& all) {
    return [&all](const ExpertBatch& batch) { return part(all, batch); };
  };
  const auto x = [](const ExpertBatch& batch) { return batch.x; };
  for (Index i = 0; i < count(); ++i) {
    if (!has_gradient(i)) continue;
    gradients(i, rows_of(d_logits_), rows_of(hidden_values_), output_weight_, output_bias_);
    gradients(i, rows_of(d_hidden_), x, hidden_weight_, hidden_bias_);
  }
}

void ClassifierExperts::for_each_parameter(const std::string& prefix, const ParameterVisitor& visit) {
  const auto list = [&](const char* name, std::vector<Index> shape, std::vector<std::string> dimensions,
                        Weights& weights) {
    visit({prefix + name, std::move(shape), std::move(dimensions), Split::by_expert, first(), count(),
           weights.value.values(), weights.first_gradient(), activity()});
  };
  list("/hidden_weight", {experts_, hidden_, hidden_weight_.value.columns()}, {"expert", "hidden", "input"},
       hidden_weight_);
  list("/hidden_bias", {experts_, hidden_}, {"expert", "hidden"}, hidden_bias_);
  list("/output_weight", {experts_, classes_, hidden_}, {"expert", "class", "hidden"}, output_weight_);
  list("/output_bias", {experts_, classes_}, {"expert", "class"}, output_bias_);
}

}  // namespace dmoe::model
