#include "model/expert.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

#include "core/simulation.hpp"
#include "numerics/kernels.hpp"
#include "numerics/tiled_linear.hpp"

namespace dmoe::model {

void ExpertGroup::forward(std::span<const ExpertBatch> batches, const Slices& slices) {
  assert(batches.size() == size(count_ * slices.count()));
  arrangement_ = Arrangement::one_below_other;
  buffer_rows_ = batches.empty() ? 0 : batches.back().first + batches.back().x.rows;
  slices_ = &slices;
  batches_.assign(batches.begin(), batches.end());
  products_.assign(batches.begin(), batches.end());
  products_of_each_ = slices.count();
  tile_rows_ = numerics::Tile::all;
  use();
}

void ExpertGroup::forward(ConstMatrixView x, const Slices& slices) {
  arrangement_ = arrangement_of(x, slices);
  x_ = x;
  buffer_rows_ = count_ * x.rows;
  slices_ = &slices;
  batches_.clear();
  products_.clear();
  const auto batch_of = [&](Index i, const RowRange& range) {
    return ExpertBatch{x.rows_from(range.first, range.count), i * x.rows + range.first, range.count};
  };
  for (Index i = 0; i < count_; ++i) {
    for (Index j = 0; j < slices.count(); ++j) batches_.push_back(batch_of(i, slices.of(j, x.rows)));
    products_.push_back(batch_of(i, {0, x.rows}));
  }
  products_of_each_ = 1;
  tile_rows_ = slices.tile().rows;
  use();
}

bool ExpertGroup::has_rows(Index i) const {
  for (Index j = 0; j < slices_->count(); ++j)
    if (batch(i, j).rows > 0) return true;
  return false;
}

void ExpertGroup::use() {
  for (Index i = 0; i < count_; ++i) {
    if (has_rows(i)) activity_.before_use(i);
  }
  compute();
}

void ExpertGroup::backward_output(ConstMatrixView gates, ConstMatrixView d_z, MatrixView d_gates) {
  assert(d_gates.columns == count_ && gates.rows == d_z.rows && d_gates.rows == d_z.rows);
  uses_.clear();
  for (Index i = 0; i < count_; ++i) {
    for (Index j = 0; j < slices_->count(); ++j) {
      const Index row = slices_->of(j, d_z.rows).first;
      uses_.push_back({nullptr,
                       row,
                       {gates.data + row * gates.columns + first_ + i, gates.columns},
                       {d_gates.data + row * count_ + i, count_}});
    }
  }
  backward_output(uses_, d_z);
}

bool ExpertGroup::has_gradient(Index i) {
  std::uint8_t& has_gradient = activity_.has_gradient[size(i)];
  const bool had_gradient = has_gradient != 0;
  has_gradient = has_rows(i) ? 1 : 0;
  return had_gradient || has_gradient != 0;
}

Experts::Experts(const LayerSpec& spec, Index inputs, Index layer, Index first, Index count,
                 std::uint64_t seed, Index gradient_blocks, Arrangement allowed)
    : ExpertGroup(spec, first, count),
      experts_(spec.experts),
      hidden_(spec.hidden),
      allowed_(allowed),
      is_first_layer_(layer == 1),
      weight_(count * spec.hidden, inputs, gradient_blocks),
      bias_(count, spec.hidden, gradient_blocks),
      outputs_(spec.hidden),
      d_activation_(spec.hidden) {
  for (Index i = 0; i < count; ++i) initialise(seed, layer, TensorRole::expert_weight, first + i, weight(i));
}

Arrangement Experts::arrangement_of(ConstMatrixView x, const Slices& slices) const {
  const bool is_one = allowed_ == Arrangement::side_by_side && count() > 1 &&
                      numerics::is_one_product(x.rows, x.columns, count() * hidden_,
                                               numerics::Activation::relu, slices.tile(hidden_));
  return is_one ? Arrangement::side_by_side : Arrangement::one_below_other;
}

void Experts::compute() {
  const MatrixView outputs = outputs_.rows(buffer_rows());
  if (is_side_by_side())
    return numerics::linear(common_x(), weight_.value.view(), bias_.value.values(),
                            numerics::Activation::relu, side_by_side(outputs), slices().tile(hidden_));
  for_each_product([&](Index i, const ExpertBatch& batch) {
    numerics::linear(batch.x, weight(i), bias_.value.view().row(i), numerics::Activation::relu,
                     part(outputs_, batch), {tile_rows()});
  });
}

namespace {

/// Of row r of a use, f (H): dLoss/dgate, and the gradient before max(0, .) into d_activation (H).
void backward_row(const ExpertUse& use, Index r, ConstMatrixView d_z, std::span<const float> f,
                  std::span<float> d_activation) {
  const auto d = d_z.row(use.z_row(r));
  use.d_gates[r] = numerics::dot(d, f);
  const float gate = use.gates[r];
  for (std::size_t h = 0; h < f.size(); ++h) d_activation[h] = f[h] > 0 ? gate * d[h] : 0.0F;
}

}  // namespace

void Experts::backward_output(std::span<const ExpertUse> uses, ConstMatrixView d_z) {
  d_activation_.rows(buffer_rows());
  are_gradients_beside_ = is_side_by_side() && is_first_layer_ && slices().count() == 1;
  if (is_side_by_side()) return backward_side_by_side(uses, d_z);
  for_each_use(uses, [&](const ExpertBatch& batch, const ExpertUse& use) {
    const ConstMatrixView output = part(outputs_, batch);
    const MatrixView d_activation = part(d_activation_, batch);
    const auto bytes = static_cast<Index>(sizeof(float)) * 3 * batch.rows * output.columns;
    simulation::work_on_numbers(simulation::Unit::byte, bytes, [&] {
      for (Index r = 0; r < batch.rows; ++r) backward_row(use, r, d_z, output.row(r), d_activation.row(r));
      std::ranges::fill(d_activation.rows_from(batch.rows, d_activation.rows - batch.rows).values(), 0.0F);
    });
  });
}

void Experts::backward_side_by_side(std::span<const ExpertUse> uses, ConstMatrixView d_z) {
  const ConstMatrixView f = outputs();
  const MatrixView d_activation = d_activation_.rows(buffer_rows());
  const Index rows = common_x().rows;
  for (Index j = 0; j < slices().count(); ++j) {
    const RowRange range = slices().of(j, rows);
    for (Index r = 0; r < range.count; ++r) {
      const Index b = range.first + r;
      for (Index i = 0; i < count(); ++i) {
        const Index beside = b * count() + i;
        backward_row(uses[size(i * slices().count() + j)], r, d_z, f.row(beside),
                     d_activation.row(are_gradients_beside_ ? beside : i * rows + b));
      }
    }
  }
}

void Experts::backward_output(ConstMatrixView d_outputs) {
  assert(d_outputs.rows == buffer_rows() && d_outputs.columns == hidden_ && !is_side_by_side());
  are_gradients_beside_ = false;
  const MatrixView d_activation = d_activation_.rows(d_outputs.rows);
  std::ranges::copy(d_outputs.values(), d_activation.data);
  numerics::relu_gradient(outputs(), d_activation);
}

void Experts::backward_input(MatrixView d_inputs) const {
  for_each_product([&](Index i, const ExpertBatch& batch) {
    const float* const beside = d_activation_.rows_from(0, buffer_rows()).data + i * hidden_;
    const ConstRowsView d_y = are_gradients_beside_
                                  ? ConstRowsView(beside, batch.rows, hidden_, count() * hidden_)
                                  : ConstRowsView(part(d_activation_, batch));
    numerics::linear_input_gradient(d_y, weight(i), part(d_inputs, batch), tile_rows());
  });
}

void Experts::backward_weights() {
  if (are_gradients_beside_) return backward_weights_at_once();
  const auto d_y = [&](const ExpertBatch& batch) { return part(std::as_const(d_activation_), batch); };
  const auto x = [](const ExpertBatch& batch) { return batch.x; };
  for (Index i = 0; i < count(); ++i) {
    if (has_gradient(i)) gradients(i, d_y, x, weight_, bias_);
  }
}

void Experts::backward_weights_at_once() {
  bool is_any = false;
  for (Index i = 0; i < count(); ++i) is_any = has_gradient(i) || is_any;
  if (!is_any) return;
  const ConstMatrixView d_activation = d_activation_.rows_from(0, buffer_rows());
  linear_gradients(slices(), side_by_side(d_activation), common_x(), weight_, bias_, hidden_);
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
         weight_.first_gradient(),
         activity()});
  visit({prefix + "/bias",
         {experts_, hidden_},
         {"expert", "hidden"},
         Split::by_expert,
         first(),
         count(),
         bias_.value.values(),
         bias_.first_gradient(),
         activity()});
}

}  // namespace dmoe::model
