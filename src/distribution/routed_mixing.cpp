#include "distribution/routed_mixing.hpp"

#include <algorithm>

#include "numerics/linear.hpp"

namespace dmoe::distribution {

RoutedMixing::RoutedMixing(const MixtureParts& parts, const model::Routing& routing)
    : Mixing(parts),
      routing_(routing),
      choices_(parts.ranks, parts.capacity,
               model::Choices::columns(routing.most_chosen(parts.topology.experts()))),
      plan_(parts.topology),
      x_rows_(parts.ranks, parts.inputs, comm::Tag::input_rows),
      d_z_rows_(parts.ranks, parts.outputs, comm::Tag::output_gradient_rows),
      output_sum_(parts.ranks, parts.outputs, comm::Tag::partial_sums),
      input_sum_(parts.ranks, parts.inputs, comm::Tag::input_gradient),
      d_values_(parts.ranks),
      inputs_(parts.inputs),
      d_inputs_(parts.inputs),
      d_choices_(routing.most_chosen(parts.topology.experts())),
      gates_(parts.topology.experts()) {}

void RoutedMixing::forward(ConstMatrixView x, const BatchStep& step, MatrixView z) {
  rows_ = x.rows;
  slices_ = &step.slices;
  if (ranks().is_coordinator()) {
    const model::Choices made(choices_.matrix(rows_));
    parts().gate.forward(x, step.masked, routing_, step.presentation, made, slices());
  }
  choices_.share(rows_);
  plan_.make(choices());
  output_sum_.begin(plan_);
  if (parts().is_first_layer()) {
    gather(x, plan_.entry_rows().data());
  } else {
    x_rows_.start(plan_, x);
    gather(x_rows_.arrived(), x_rows_.rows_of_entries());
  }
  model::ExpertGroup& experts = parts().experts;
  experts.forward(batches_, slices());
  const ConstMatrixView outputs = experts.outputs();
  output_sum_.add_up(plan_, [&](Index expert, Index entry) {
    return model::TreeTerm{expert, outputs.row(buffer_row(entry)).data(), &plan_.values()[size(entry)]};
  });
  output_sum_.send();
  output_sum_.combine(plan_, z);
  choices_.finish();
  x_rows_.finish();
}

void RoutedMixing::lay_out() {
  const exchange::ExpertRange own = parts().range();
  batches_.clear();
  batch_entries_.clear();
  buffer_rows_.clear();
  Index first = 0;
  for (Index i = own.first; i < own.end(); ++i) {
    Index entry = plan_.begin(i);
    for (Index j = 0; j < slices().count(); ++j) {
      const model::RowRange rows = slices().of(j, rows_);
      batch_entries_.push_back(entry);
      Index count = 0;
      for (; entry < plan_.begin(i + 1) && plan_.row(entry) < rows.first + rows.count; ++entry)
        buffer_rows_.push_back(first + count++);
      // What every row chose has the shape of the dense mixture, and so its bits.
      const Index padded = count == rows.count ? count : numerics::padded_rows(count);
      batches_.push_back({{nullptr, padded, parts().inputs}, first, count});
      first += padded;
    }
  }
  inputs_.rows(first);
}

void RoutedMixing::gather(ConstMatrixView x, const Index* rows_of_entries) {
  lay_out();
  for (std::size_t b = 0; b < batches_.size(); ++b) {
    model::ExpertBatch& batch = batches_[b];
    const MatrixView inputs = inputs_.rows_from(batch.first, batch.x.rows);
    for (Index r = 0; r < batch.rows; ++r)
      std::ranges::copy(x.row(rows_of_entries[batch_entries_[b] + r]), inputs.row(r).begin());
    std::ranges::fill(inputs.rows_from(batch.rows, inputs.rows - batch.rows).values(), 0.0F);
    batch.x = inputs;
  }
}

ConstMatrixView RoutedMixing::gates() {
  const MatrixView gates = gates_.rows(rows_);
  std::ranges::fill(gates.values(), 0.0F);
  for (Index b = 0; b < rows_; ++b) {
    const Index chosen = choices().count(b);
    for (Index j = 0; j < chosen; ++j) gates(b, choices().expert(b, j)) = choices().value(b, j);
  }
  return gates;
}

void RoutedMixing::add_assigned(std::span<balance::Total> totals) {
  const exchange::ExpertRange own = parts().range();
  for (Index i = own.first; i < own.end(); ++i) {
    for (Index e = plan_.begin(i); e < plan_.begin(i + 1); ++e)
      totals[size(i)] += balance::to_total(plan_.value(e));
  }
}

void RoutedMixing::send_d_output(exchange::SharedMatrix& d_z) {
  d_z_rows_.start(plan_, d_z.matrix(rows_));
}

void RoutedMixing::backward_to_input(exchange::SharedMatrix& /*d_z*/, MatrixView d_x) {
  model::ExpertGroup& experts = parts().experts;
  const bool d_x_is_wanted = !parts().is_first_layer();
  d_values_.begin(plan_);
  if (d_x_is_wanted) input_sum_.begin(plan_);
  uses_.clear();
  for (const Index entry : batch_entries_)
    uses_.push_back({d_z_rows_.rows_of_entries() + entry,
                     0,
                     {plan_.values().data() + entry},
                     {d_values_.own() + (entry - first_entry())}});
  experts.backward_output(uses_, d_z_rows_.arrived());
  d_values_.send();
  if (d_x_is_wanted) {
    const MatrixView d_inputs = d_inputs_.rows(experts.outputs().rows);
    experts.backward_input(d_inputs);
    input_sum_.add_up(plan_, [&](Index expert, Index entry) {
      return model::TreeTerm{expert, d_inputs.row(buffer_row(entry)).data()};
    });
    input_sum_.send();
  }
  const float* const d_values = d_values_.collect();
  if (ranks().is_coordinator()) {
    const MatrixView d_choices = d_choices_.rows(rows_);
    for (Index e = 0; e < expert_rows(); ++e) d_choices(plan_.row(e), plan_.place(e)) = d_values[e];
    parts().gate.backward_input(choices(), routing_, d_choices, d_gate_input(rows_));
  }
  if (d_x_is_wanted) input_sum_.combine(plan_, d_x);
  add_gate_share(d_x);
}

void RoutedMixing::backward_to_weights(ConstMatrixView x, exchange::SharedMatrix& /*d_z*/) {
  if (ranks().is_coordinator()) parts().gate.backward_weights(x);
  parts().experts.backward_weights();
  d_z_rows_.finish();
}

}  // namespace dmoe::distribution
