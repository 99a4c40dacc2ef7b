#include "model/head.hpp"

#include <algorithm>

#include "numerics/linear.hpp"

namespace dmoe::model {

LinearHead::LinearHead(Index inputs, Index classes, Index layer, Presence presence, std::uint64_t seed,
                       Index capacity)
    : inputs_(inputs), classes_(classes) {
  if (presence == Presence::elsewhere) return;
  weight_ = Weights(classes, inputs);
  bias_ = Weights(1, classes);
  logits_ = Matrix(capacity, classes);
  d_logits_ = Matrix(capacity, classes);
  initialise(seed, layer, TensorRole::head_weight, 0, weight_.value.view());
}

void LinearHead::forward(ConstMatrixView z) {
  rows_ = z.rows;
  numerics::linear(z, weight_.value.view(), bias_.value.values(), numerics::Activation::identity,
                   logits_.first_rows(rows_));
}

numerics::Loss LinearHead::loss(std::span<const std::int32_t> labels) const {
  return numerics::cross_entropy(scores(), labels);
}

numerics::Loss LinearHead::backward(ConstMatrixView z, std::span<const std::int32_t> labels, MatrixView d_z) {
  const MatrixView d_logits = d_logits_.first_rows(rows_);
  const numerics::Loss loss = numerics::cross_entropy(scores(), labels, d_logits);
  numerics::linear_input_gradient(d_logits, weight_.value.view(), d_z);
  numerics::linear_weight_gradient(d_logits, z, weight_.gradient.view());
  numerics::column_sums(d_logits, bias_.gradient.values());
  return loss;
}

void LinearHead::for_each_parameter(const std::string& prefix, const ParameterVisitor& visit) {
  const Index classes = weight_.value.rows();  // 0 where the head is elsewhere
  visit({prefix + "/weight",
         {classes_, inputs_},
         {"class", "input"},
         Split::whole,
         0,
         classes,
         weight_.value.values(),
         weight_.gradient.values()});
  visit({prefix + "/bias",
         {classes_},
         {"class"},
         Split::whole,
         0,
         classes,
         bias_.value.values(),
         bias_.gradient.values()});
}

void DistributionHead::forward(ConstMatrixView z) {
  rows_ = z.rows;
  std::ranges::copy(z.values(), p_.view().data);
}

numerics::Loss DistributionHead::loss(std::span<const std::int32_t> labels) const {
  return numerics::negative_log_likelihood(scores(), labels);
}

numerics::Loss DistributionHead::backward(ConstMatrixView z, std::span<const std::int32_t> labels,
                                          MatrixView d_z) {
  return numerics::negative_log_likelihood(z, labels, d_z);
}

}  // namespace dmoe::model
