#include "model/head.hpp"

#include <algorithm>

#include "numerics/tiled_linear.hpp"

namespace dmoe::model {

LinearHead::LinearHead(Index inputs, Index classes, Index layer, Presence presence, std::uint64_t seed,
                       Index capacity, Index gradient_blocks)
    : inputs_(inputs), classes_(classes) {
  if (presence == Presence::elsewhere) return;
  weight_ = Weights(classes, inputs, gradient_blocks);
  bias_ = Weights(1, classes, gradient_blocks);
  logits_ = Matrix(capacity, classes);
  d_logits_ = Matrix(capacity, classes);
  initialise(seed, layer, TensorRole::head_weight, 0, weight_.value.view());
}

void LinearHead::compute(ConstMatrixView z) {
  numerics::linear(z, weight_.value.view(), bias_.value.values(), numerics::Activation::identity,
                   logits_.first_rows(rows()), slices().tile());
}

numerics::Loss LinearHead::loss_of(ConstMatrixView scores, std::span<const std::int32_t> labels) const {
  return numerics::cross_entropy(scores, labels);
}

void LinearHead::backward(ConstMatrixView z, std::span<const std::int32_t> labels, MatrixView d_z,
                          Index batch_rows) {
  const MatrixView d_logits = d_logits_.first_rows(rows());
  lose(labels, [&](const RowRange& range, std::span<const std::int32_t> of_range) {
    return numerics::cross_entropy(scores().rows_from(range.first, range.count), of_range,
                                   d_logits.rows_from(range.first, range.count), batch_rows);
  });
  numerics::linear_input_gradient(d_logits, weight_.value.view(), d_z, slices().tile().rows);
  linear_gradients(slices(), d_logits, z, weight_, bias_);
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
         weight_.first_gradient(),
         nullptr,
         true});
  visit({prefix + "/bias",
         {classes_},
         {"class"},
         Split::whole,
         0,
         classes,
         bias_.value.values(),
         bias_.first_gradient(),
         nullptr,
         true});
}

void DistributionHead::compute(ConstMatrixView z) {
  std::ranges::copy(z.values(), p_.view().data);
}

numerics::Loss DistributionHead::loss_of(ConstMatrixView scores, std::span<const std::int32_t> labels) const {
  return numerics::negative_log_likelihood(scores, labels);
}

void DistributionHead::backward(ConstMatrixView z, std::span<const std::int32_t> labels, MatrixView d_z,
                                Index batch_rows) {
  lose(labels, [&](const RowRange& range, std::span<const std::int32_t> of_range) {
    return numerics::negative_log_likelihood(z.rows_from(range.first, range.count), of_range,
                                             d_z.rows_from(range.first, range.count), batch_rows);
  });
}

}  // namespace dmoe::model
