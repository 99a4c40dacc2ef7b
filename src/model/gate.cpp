#include "model/gate.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>

#include "core/error.hpp"
#include "core/random.hpp"
#include "numerics/kernels.hpp"
#include "numerics/tiled_linear.hpp"

namespace dmoe::model {

using numerics::Activation;

Gate::Gate(const LayerSpec& spec, Index inputs, Index layer, Presence presence, std::uint64_t seed,
           Index capacity, Index gradient_blocks)
    : spec_(spec), inputs_(inputs), layer_(layer), p_(spec.experts) {
  if (presence == Presence::elsewhere) return;
  hidden_weight_ = Weights(spec.gate_hidden, inputs, gradient_blocks);
  hidden_bias_ = Weights(1, spec.gate_hidden, gradient_blocks);
  output_weight_ = Weights(spec.experts, spec.gate_hidden, gradient_blocks);
  output_bias_ = Weights(1, spec.experts, gradient_blocks);
  hidden_ = Matrix(capacity, spec.gate_hidden);
  logits_ = Matrix(capacity, spec.experts);
  d_hidden_ = Matrix(capacity, spec.gate_hidden);
  d_logits_ = Matrix(capacity, spec.experts);
  initialise(seed, layer, TensorRole::gate_hidden_weight, 0, hidden_weight_.value.view());
  initialise(seed, layer, TensorRole::gate_output_weight, 0, output_weight_.value.view());
}

MatrixView Gate::logits_of(ConstMatrixView x, const Slices& slices) {
  rows_ = x.rows;
  slices_ = &slices;
  const MatrixView hidden = hidden_.first_rows(rows_);
  const MatrixView logits = logits_.first_rows(rows_);
  numerics::linear(x, hidden_weight_.value.view(), hidden_bias_.value.values(), Activation::relu, hidden,
                   slices.tile());
  numerics::linear(hidden, output_weight_.value.view(), output_bias_.value.values(), Activation::identity,
                   logits, slices.tile());
  return logits;
}

void Gate::forward(ConstMatrixView x, std::span<const std::uint8_t> masked, MatrixView gates,
                   const Slices& slices) {
  numerics::masked_softmax(logits_of(x, slices), masked, gates);
}

void Gate::add_noise(MatrixView logits, float deviation, const Presentation& presentation) const {
  constexpr std::uint64_t most_layers = 1 << 16;
  for (Index b = 0; b < logits.rows; ++b) {
    const std::uint64_t row = presentation.first + static_cast<std::uint64_t>(b);
    RandomStream stream(presentation.seed, Purpose::gate_noise,
                        row * most_layers + static_cast<std::uint64_t>(layer_));
    for (float& logit : logits.row(b)) logit += deviation * stream.normal();
  }
}

namespace {

/// The softmax of row b over its chosen experts alone.
void renormalise(ConstMatrixView logits, Index b, const std::vector<Index>& chosen, const Choices& choices) {
  float largest = -std::numeric_limits<float>::infinity();
  for (const Index i : chosen) largest = std::max(largest, logits(b, i));
  float sum = 0;
  const auto count = static_cast<Index>(chosen.size());
  for (Index j = 0; j < count; ++j)
    sum += choices.value(b, j) = std::exp(logits(b, chosen[size(j)]) - largest);
  for (Index j = 0; j < count; ++j) choices.value(b, j) /= sum;
}

}  // namespace

void Gate::forward(ConstMatrixView x, std::span<const std::uint8_t> masked, const Routing& routing,
                   const std::optional<Presentation>& presentation, const Choices& choices,
                   const Slices& slices) {
  const MatrixView logits = logits_of(x, slices);
  if (presentation && routing.noise() > 0) add_noise(logits, routing.noise(), *presentation);
  const bool needs_p = routing.value() != GateValue::renormalised;
  p_.rows(needs_p ? rows_ : 1);
  for (Index b = 0; b < rows_; ++b) {
    const MatrixView p = p_.rows_from(needs_p ? b : 0, 1);
    const bool is_told = !needs_p && routing.choose_by_logits(logits.row(b), masked, chosen_);
    if (!is_told) {
      numerics::masked_softmax(logits.rows_from(b, 1), masked, p);
      routing.choose(p.row(0), masked, chosen_);
    }
    const auto chosen = static_cast<Index>(chosen_.size());
    if (chosen < 1 || chosen > choices.most())
      throw InputError("the routing chooses {} experts for a row; allowed are 1 to {}", chosen,
                       choices.most());
    for (Index j = 0; j < choices.most(); ++j) choices.set(b, j, j < chosen ? chosen_[size(j)] : -1, 0);
    const bool is_wrong = !is_told && std::isnan(p(0, chosen_.front()));  // so that it shows
    if (routing.value() != GateValue::probability && !is_wrong) {
      renormalise(logits, b, chosen_, choices);
    } else {
      for (Index j = 0; j < chosen; ++j) choices.value(b, j) = p(0, chosen_[size(j)]);
    }
  }
}

void Gate::backward_from_logits(MatrixView d_x) {
  const MatrixView d_hidden = d_hidden_.first_rows(rows_);
  const Index slice_rows = slices_->tile().rows;
  numerics::linear_input_gradient(d_logits_.first_rows(rows_), output_weight_.value.view(), d_hidden,
                                  slice_rows);
  numerics::relu_gradient(hidden_.first_rows(rows_), d_hidden);
  if (d_x.rows > 0) numerics::linear_input_gradient(d_hidden, hidden_weight_.value.view(), d_x, slice_rows);
}

void Gate::backward_input(ConstMatrixView gates, ConstMatrixView d_gates, MatrixView d_x) {
  assert(gates.rows == rows_ && d_gates.rows == rows_);
  has_few_ = false;
  numerics::softmax_gradient(gates, d_gates, d_logits_.first_rows(rows_));
  backward_from_logits(d_x);
}

void Gate::backward_input(const ConstChoices& choices, const Routing& routing, ConstMatrixView d_values,
                          MatrixView d_x) {
  assert(choices.rows() == rows_ && d_values.rows == rows_);
  if (routing.value() == GateValue::renormalised) {
    gradient_of_chosen(choices, d_values);
  } else {
    gradient_of_all(choices, d_values);
  }
  backward_from_logits(d_x);
}

void Gate::gradient_of_chosen(const ConstChoices& choices, ConstMatrixView d_values) {
  const auto d_logits = d_logits_.values();
  const bool has_few = 4 * choices.most() <= d_logits_.columns();
  if (!has_few) {
    std::ranges::fill(d_logits_.first_rows(rows_).values(), 0.0F);
  } else if (!has_few_) {
    std::ranges::fill(d_logits, 0.0F);
  } else {
    for (const std::size_t place : places_) d_logits[place] = 0;
  }
  has_few_ = has_few;
  places_.clear();
  for (Index b = 0; b < rows_; ++b) {
    const Index chosen = choices.count(b);
    float mean = 0;
    for (Index j = 0; j < chosen; ++j) mean += choices.value(b, j) * d_values(b, j);
    for (Index j = 0; j < chosen; ++j) {
      const std::size_t place = size(b * d_logits_.columns() + choices.expert(b, j));
      d_logits[place] = choices.value(b, j) * (d_values(b, j) - mean);
      if (has_few) places_.push_back(place);
    }
  }
}

void Gate::gradient_of_all(const ConstChoices& choices, ConstMatrixView d_values) {
  has_few_ = false;
  const MatrixView d_logits = d_logits_.first_rows(rows_);
  const ConstMatrixView p = p_.rows_from(0, rows_);
  for (Index b = 0; b < rows_; ++b) {
    const Index chosen = choices.count(b);
    const auto p_of = [&](Index j) { return p(b, choices.expert(b, j)); };
    float mean = 0;
    for (Index j = 0; j < chosen; ++j) mean += p_of(j) * d_values(b, j);
    for (Index i = 0; i < d_logits.columns; ++i) d_logits(b, i) = -p(b, i) * mean;
    for (Index j = 0; j < chosen; ++j) d_logits(b, choices.expert(b, j)) = p_of(j) * (d_values(b, j) - mean);
  }
}

void Gate::add_output_bias_gradient(const RowRange& range, MatrixView into, Into how) const {
  if (!has_few_) return add_bias_gradient(d_logits_.view().rows_from(range.first, range.count), into, how);
  const auto experts = size(into.columns);
  const auto place_of = [&](Index row) { return std::ranges::lower_bound(places_, size(row) * experts); };
  const std::span<const std::size_t> places(place_of(range.first), place_of(range.first + range.count));
  add_bias_gradient(into, how, [&](MatrixView sums) {
    std::ranges::fill(sums.values(), 0.0F);
    for (const std::size_t place : places) sums.data[place % experts] += d_logits_.values()[place];
  });
}

void Gate::backward_weights(ConstMatrixView x) {
  assert(x.rows == rows_);
  const auto rows_of = [&](ConstMatrixView all, Index j) {
    return all.rows_from(slices_->of(j, rows_).first, slices_->of(j, rows_).count);
  };
  const auto is_there = [&](Index j) { return slices_->of(j, rows_).count > 0; };
  sum_over_slices(
      *slices_, is_there, [&](Index k) { return output_weight_.gradient_block(k); },
      [&](Index j, MatrixView into, Into how) {
        add_weight_gradient(rows_of(d_logits_.view(), j), rows_of(hidden_.view(), j), into, how);
      });
  sum_over_slices(
      *slices_, is_there, [&](Index k) { return output_bias_.gradient_block(k); },
      [&](Index j, MatrixView into, Into how) {
        add_output_bias_gradient(slices_->of(j, rows_), into, how);
      });
  linear_gradients(*slices_, d_hidden_.first_rows(rows_), x, hidden_weight_, hidden_bias_);
}

void Gate::for_each_parameter(const std::string& prefix, const ParameterVisitor& visit) {
  const Index hidden = hidden_weight_.value.rows();  // 0 where the gate is elsewhere
  const Index experts = output_weight_.value.rows();
  visit({prefix + "/hidden_weight",
         {spec_.gate_hidden, inputs_},
         {"gate_hidden", "input"},
         Split::whole,
         0,
         hidden,
         hidden_weight_.value.values(),
         hidden_weight_.first_gradient(),
         nullptr,
         true});
  visit({prefix + "/hidden_bias",
         {spec_.gate_hidden},
         {"gate_hidden"},
         Split::whole,
         0,
         hidden,
         hidden_bias_.value.values(),
         hidden_bias_.first_gradient(),
         nullptr,
         true});
  visit({prefix + "/output_weight",
         {spec_.experts, spec_.gate_hidden},
         {"expert", "gate_hidden"},
         Split::whole,
         0,
         experts,
         output_weight_.value.values(),
         output_weight_.first_gradient(),
         nullptr,
         true});
  visit({prefix + "/output_bias",
         {spec_.experts},
         {"expert"},
         Split::whole,
         0,
         experts,
         output_bias_.value.values(),
         output_bias_.first_gradient(),
         nullptr,
         true});
}

}  // namespace dmoe::model
