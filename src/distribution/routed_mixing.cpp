#include "distribution/routed_mixing.hpp"

#include <algorithm>

#include "core/simulation.hpp"
#include "numerics/linear.hpp"

namespace dmoe::distribution {

RoutedMixing::RoutedMixing(const MixtureParts& parts, const model::Routing& routing)
    : Mixing(parts),
      routing_(routing),
      choices_(parts.ranks, routing.most_chosen(parts.topology.experts())),
      plan_(parts.topology, parts.ranks.rank()),
      x_rows_(parts.ranks, parts.inputs, comm::Tag::input_rows),
      d_z_rows_(parts.ranks, parts.outputs, comm::Tag::output_gradient_rows),
      output_sum_(parts.ranks, parts.outputs, comm::Tag::partial_sums),
      input_sum_(parts.ranks, parts.inputs, comm::Tag::input_gradient),
      d_values_(parts.ranks),
      inputs_(parts.inputs),
      d_inputs_(parts.inputs),
      d_choices_(routing.most_chosen(parts.topology.experts())),
      gates_(parts.topology.experts()) {}

namespace {

/// Presentations of the rows from `first` on.
std::optional<model::Presentation> from_row(std::optional<model::Presentation> presentation, Index first) {
  if (presentation) presentation->first += static_cast<std::uint64_t>(first);
  return presentation;
}

}  // namespace

void RoutedMixing::forward(const exchange::BatchRows& x, const BatchStep& step, MatrixView z) {
  const exchange::Homes& homes = step.homes;
  homes_ = &homes;
  slices_ = &step.slices;
  choices_.begin(homes);
  with_gate(homes, [&](model::Gate& gate) {
    gate.forward(x.of(homes.own()), step.masked, routing_, from_row(step.presentation, homes.own().first),
                 choices_.own(), step.gate_slices);
  });
  const TimedActivity packing = timed(Activity::packing);  // what is neither the gate's nor experts'
  choices_.deliver(plan_);
  output_sum_.begin(plan_, homes);
  if (step.source != nullptr) {
    gather(step.source->rows(plan_.owned.rows()), plan_.owned.entry_places().data());
  } else if (parts().is_first_layer()) {
    gather(x.values, plan_.owned.entry_rows().data());
  } else {
    x_rows_.start(plan_, homes, x.of(homes.own()));
    gather(x_rows_.arrived(), x_rows_.rows_of_entries());
  }
  model::ExpertGroup& experts = parts().experts;
  with_experts([&](model::ExpertGroup& own) { own.forward(batches_, slices()); });
  const ConstMatrixView outputs = experts.outputs();
  output_sum_.add_up(plan_, [&](Index expert, Index entry) {
    return model::TreeTerm{expert, outputs.row(buffer_row(entry)).data(), &plan_.owned.values()[size(entry)]};
  });
  output_sum_.send(plan_);
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
    Index entry = plan_.owned.begin(i);
    for (Index j = 0; j < slices().count(); ++j) {
      const model::RowRange rows = slices().of(j, homes_->rows());
      batch_entries_.push_back(entry);
      Index count = 0;
      for (; entry < plan_.owned.begin(i + 1) && plan_.owned.row(entry) < rows.first + rows.count; ++entry)
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
      simulation::copy_numbers(x.row(rows_of_entries[batch_entries_[b] + r]), inputs.row(r).data());
    std::ranges::fill(inputs.rows_from(batch.rows, inputs.rows - batch.rows).values(), 0.0F);
    batch.x = inputs;
  }
}

ConstMatrixView RoutedMixing::gates() {
  const model::ConstChoices choices = choices_.known();
  const MatrixView gates = gates_.rows(choices.rows());
  std::ranges::fill(gates.values(), 0.0F);
  for (Index b = 0; b < gates.rows; ++b) {
    const Index chosen = choices.count(b);
    for (Index j = 0; j < chosen; ++j) gates(b, choices.expert(b, j)) = choices.value(b, j);
  }
  return gates;
}

Index RoutedMixing::expert_rows() {
  const model::ConstChoices choices = choices_.known();
  Index rows = 0;
  for (Index b = 0; b < choices.rows(); ++b) rows += choices.count(b);
  return rows;
}

void RoutedMixing::add_assigned(std::span<balance::Total> totals) {
  for (const exchange::Choice& choice : plan_.owned.arrived())
    totals[size(choice.expert)] += balance::to_total(choice.value);
}

void RoutedMixing::send_d_output(exchange::SharedMatrix& d_z) {
  const TimedActivity packing = timed(Activity::packing);
  d_z_rows_.start(plan_, *homes_, d_z.own());
}

void RoutedMixing::backward_to_input(exchange::SharedMatrix& /*d_z*/, MatrixView d_x) {
  model::ExpertGroup& experts = parts().experts;
  const bool d_x_is_wanted = !parts().is_first_layer();
  const TimedActivity packing = timed(Activity::packing);
  d_values_.begin(plan_, *homes_);
  if (d_x_is_wanted) input_sum_.begin(plan_, *homes_);
  uses_.clear();
  for (const Index entry : batch_entries_)
    uses_.push_back({d_z_rows_.rows_of_entries() + entry,
                     0,
                     {plan_.owned.values().data() + entry},
                     {d_values_.own() + entry}});
  const ConstMatrixView d_z_rows = d_z_rows_.arrived();
  with_experts([&](model::ExpertGroup& own) { own.backward_output(uses_, d_z_rows); });
  d_values_.send(plan_);
  if (d_x_is_wanted) {
    const MatrixView d_inputs = d_inputs_.rows(experts.outputs().rows);
    with_experts([&](model::ExpertGroup& own) { own.backward_input(d_inputs); });
    input_sum_.add_up(plan_, [&](Index expert, Index entry) {
      return model::TreeTerm{expert, d_inputs.row(buffer_row(entry)).data()};
    });
    input_sum_.send(plan_);
  }
  const float* const d_values = d_values_.collect();
  with_gate(*homes_, [&](model::Gate& gate) {
    const model::RowRange own = homes_->own();
    const MatrixView d_choices = d_choices_.rows(own.count);
    for (Index c = 0; c < plan_.sent.count(); ++c)
      d_choices(plan_.sent.choice(c).row - own.first, plan_.sent.place(c)) = d_values[c];
    gate.backward_input(model::ConstChoices(choices_.own()), routing_, d_choices, d_gate_input(*homes_));
  });
  if (d_x_is_wanted) input_sum_.combine(plan_, d_x);
  if (homes_->has_gates()) add_gate_share(d_x);
}

void RoutedMixing::backward_to_weights(const exchange::BatchRows& x, exchange::SharedMatrix& /*d_z*/) {
  with_gate(*homes_, [&](model::Gate& gate) { gate.backward_weights(x.of(homes_->own())); });
  with_experts([](model::ExpertGroup& own) { own.backward_weights(); });
  d_z_rows_.finish();
}

}  // namespace dmoe::distribution
