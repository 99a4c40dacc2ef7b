#include "model/expert.hpp"

#include <algorithm>
#include <cassert>

#include "numerics/kernels.hpp"
#include "numerics/linear.hpp"

namespace dmoe::model {

void ExpertGroup::forward(std::span<const ExpertBatch> batches) {
  assert(batches.size() == batches_.size());
  std::ranges::copy(batches, batches_.begin());
  use();
}

void ExpertGroup::forward(ConstMatrixView x) {
  for (Index i = 0; i < count_; ++i) batches_[size(i)] = {x, i * x.rows, x.rows};
  use();
}

void ExpertGroup::use() {
  for (Index i = 0; i < count_; ++i) {
    if (batch(i).rows > 0) activity_.before_use(i);
  }
  compute();
}

void ExpertGroup::backward_output(ConstMatrixView gates, ConstMatrixView d_z, MatrixView d_gates) {
  assert(d_gates.columns == count_ && gates.rows == d_z.rows && d_gates.rows == d_z.rows);
  uses_.resize(size(count_));
  for (Index i = 0; i < count_; ++i)
    uses_[size(i)] = {nullptr, {gates.data + first_ + i, gates.columns}, {d_gates.data + i, count_}};
  backward_output(uses_, d_z);
}

bool ExpertGroup::has_gradient(Index i) {
  std::uint8_t& has_rows = activity_.has_gradient[size(i)];
  const bool had_rows = has_rows != 0;
  has_rows = batch(i).rows > 0 ? 1 : 0;
  return had_rows || has_rows != 0;
}

Index ExpertGroup::buffer_rows() const {
  return count_ == 0 ? 0 : batches_.back().first + batches_.back().x.rows;
}

Experts::Experts(const LayerSpec& spec, Index inputs, Index layer, Index first, Index count,
                 std::uint64_t seed)
    : ExpertGroup(spec, first, count),
      experts_(spec.experts),
      hidden_(spec.hidden),
      weight_(count * spec.hidden, inputs),
      bias_(count, spec.hidden),
      outputs_(spec.hidden),
      d_activation_(spec.hidden) {
  for (Index i = 0; i < count; ++i) initialise(seed, layer, TensorRole::expert_weight, first + i, weight(i));
}

void Experts::compute() {
  outputs_.rows(buffer_rows());
  for (Index i = 0; i < count(); ++i) {
    numerics::linear(batch(i).x, weight(i), bias_.value.view().row(i), numerics::Activation::relu,
                     part(outputs_, i));
  }
}

void Experts::backward_output(std::span<const ExpertUse> uses, ConstMatrixView d_z) {
  d_activation_.rows(buffer_rows());
  for (Index i = 0; i < count(); ++i) {
    const ConstMatrixView output = part(outputs_, i);
    const MatrixView d_activation = part(d_activation_, i);
    const ExpertUse& use = uses[size(i)];
    const Index rows = batch(i).rows;
    for (Index r = 0; r < rows; ++r) {
      const auto f = output.row(r);
      const auto d = d_z.row(use.z_row(r));
      const auto out = d_activation.row(r);
      use.d_gates[r] = numerics::dot(d, f);
      const float gate = use.gates[r];
      for (std::size_t h = 0; h < f.size(); ++h) out[h] = f[h] > 0 ? gate * d[h] : 0.0F;
    }
    std::ranges::fill(d_activation.rows_from(rows, d_activation.rows - rows).values(), 0.0F);
  }
}

void Experts::backward_output(ConstMatrixView d_outputs) {
  assert(d_outputs.rows == buffer_rows() && d_outputs.columns == hidden_);
  const MatrixView d_activation = d_activation_.rows(d_outputs.rows);
  std::ranges::copy(d_outputs.values(), d_activation.data);
  numerics::relu_gradient(outputs(), d_activation);
}

void Experts::backward_input(MatrixView d_inputs) const {
  for (Index i = 0; i < count(); ++i)
    numerics::linear_input_gradient(part(d_activation_, i), weight(i), part(d_inputs, i));
}

void Experts::backward_weights() {
  for (Index i = 0; i < count(); ++i) {
    if (!has_gradient(i)) continue;
    numerics::linear_weight_gradient(part(d_activation_, i), batch(i).x,
                                     weight_.gradient.view().rows_from(i * hidden_, hidden_));
    numerics::column_sums(part(d_activation_, i), bias_.gradient.view().row(i));
  }
}

void Experts::for_each_parameter(const std::string& prefix, const ParameterVisitor& visit) {
  const Index inputs = weight_.value.columns();
  visit({prefix + "/weight",
         {experts_, hidden_, inputs},
         {"expert", "hidden", "input"},
         Split::by_expert,
         first(),
         count(),
         weight_.value.values(),
         weight_.gradient.values(),
         activity()});
  visit({prefix + "/bias",
         {experts_, hidden_},
         {"expert", "hidden"},
         Split::by_expert,
         first(),
         count(),
         bias_.value.values(),
         bias_.gradient.values(),
         activity()});
}

}  // namespace dmoe::model
