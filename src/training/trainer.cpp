#include "training/trainer.hpp"

#include <chrono>
#include <cmath>
#include <utility>

#include "core/error.hpp"

namespace dmoe::training {

Trainer::Trainer(const TrainingSpec& spec, distribution::Network& network, const data::Dataset& dataset,
                 Observer& observer, StopRequested stop_requested)
    : spec_(spec),
      network_(network),
      dataset_(dataset),
      observer_(observer),
      stop_requested_(std::move(stop_requested)),
      sampler_(dataset.example_count(data::Split::train), spec.batch_size, spec.seed),
      batch_(spec.batch_size, dataset.input_width(), dataset.factors().size()),
      optimizer_(network, spec.momentum, spec.weight_decay),
      assignment_(network) {
  for (const model::LayerSpec& layer : network.spec().layers) balancers_.emplace_back(layer.choices());
  for (const balance::Balancer& balancer : balancers_) masks_.push_back(balancer.masked());
  for (const PhaseSpec& phase : spec.phases) {
    rules_.push_back(balance::rules().find(phase.rule.name).make(phase.rule.settings));
    schedules_.push_back(schedules().find(phase.schedule.name).make(phase.schedule.settings));
  }
}

Outcome Trainer::run() {
  Plan plan{spec_.epochs() * steps_per_epoch(), steps_per_epoch(), spec_.epochs(), {}, {}};
  for (const PhaseSpec& phase : spec_.phases) {
    plan.phases.push_back(phase.name);
    plan.phase_steps.push_back(phase.epochs * steps_per_epoch());
  }
  const bool reports = network_.ranks().is_coordinator();
  if (reports) observer_.began(plan);
  open_window();
  for (Index p = 0; p < static_cast<Index>(spec_.phases.size()); ++p) {
    begin_phase(p);
    const Index epochs = spec_.phases[size(p)].epochs;
    for (Index e = 0; e < epochs; ++e) {
      if (run_epoch(epochs, e) == Outcome::stopped) return stopped();
      ++epoch_;
      const Index every = spec_.evaluation.every_epochs;
      if (every > 0 && epoch_ % every == 0 && !evaluate_all()) return stopped();
    }
  }
  if (evaluated_epoch_ != epoch_ && !evaluate_all()) return stopped();
  return Outcome::finished;
}

Outcome Trainer::run_epoch(Index epochs_of_phase, Index epoch_of_phase) {
  const double rate = schedules_[size(phase_)]->rate(epoch_of_phase, epochs_of_phase);
  for (Index i = 0; i < steps_per_epoch(); ++i) {
    const numerics::Loss loss = step(rate);
    report_step(loss, rate);
    if (assignment_.stop_requested()) return Outcome::stopped;
  }
  return Outcome::finished;
}

Outcome Trainer::stopped() {
  if (window_.steps > 0) log_row();
  return Outcome::stopped;
}

void Trainer::begin_phase(Index phase) {
  phase_ = phase;
  for (balance::Balancer& balancer : balancers_) balancer.begin_phase(*rules_[size(phase)]);
}

numerics::Loss Trainer::step(double learning_rate) {
  using Stop = distribution::AssignmentReduction::Stop;
  {
    const TimedActivity presenting(network_.ranks().timing(), Activity::data);
    const data::Draw draw{Purpose::train_transform,
                          static_cast<std::uint64_t>(sampler_.first_presentation(step_))};
    dataset_.present(data::Split::train, sampler_.examples(step_), draw, batch_);
  }
  network_.forward(batch_.inputs(), masks_);
  assignment_.start(stop_requested_() ? Stop::requested : Stop::no);
  const numerics::Loss loss = network_.backward(batch_.inputs(), batch_.labels());
  if (!std::isfinite(loss.sum)) {  // known to the coordinator alone, which ends the job
    throw RunError("the loss of step {} is not finite; a learning rate below {} may help", step_ + 1,
                   learning_rate);
  }
  optimizer_.step(learning_rate);
  assignment_.finish();
  for (std::size_t l = 0; l < balancers_.size(); ++l) {
    balancers_[l].add(assignment_.assigned(static_cast<Index>(l)));
  }
  ++step_;
  return loss;
}

bool Trainer::evaluate_all() {
  const comm::Communicator& ranks = network_.ranks();
  EvaluationRow row;
  row.epoch = epoch_;
  row.has_validation = dataset_.example_count(data::Split::validation) > 0;
  const auto training_examples = static_cast<std::uint64_t>(dataset_.example_count(data::Split::train));
  const data::Draw fresh{Purpose::evaluation_transform,
                         static_cast<std::uint64_t>(evaluations_) * training_examples};
  const auto score = [&](data::Split split, Score& into) {
    const std::optional<Score> found =
        evaluate(network_, dataset_, {split, fresh, spec_.evaluation.batch_size}, stop_requested_);
    if (found) into = *found;
    return found.has_value();
  };
  const Timing::Clock::time_point began = Timing::Clock::now();
  if (!score(data::Split::test, row.test)) return false;
  if (row.has_validation && !score(data::Split::validation, row.validation)) return false;
  if (!score(data::Split::train, row.train)) return false;
  ++evaluations_;
  evaluated_epoch_ = epoch_;
  const RankSeconds seconds = rank_seconds();
  if (!ranks.is_coordinator()) return true;
  const TimedActivity reporting(ranks.timing(), Activity::io);
  observer_.evaluated(row, seconds);
  window_.began += Timing::Clock::now() - began;  // examples per second are those of training
  return true;
}

RankSeconds Trainer::rank_seconds() const {
  const comm::Communicator& ranks = network_.ranks();
  const std::vector<double> all = ranks.gather(ranks.timing().seconds());
  constexpr std::size_t activities = activity_names.size();
  RankSeconds seconds(all.size() / activities);
  for (std::size_t i = 0; i < all.size(); ++i) seconds[i / activities][i % activities] = all[i];
  return seconds;
}

void Trainer::open_window() {
  window_ = {};
  for (const balance::Balancer& balancer : balancers_) {
    window_.masked_steps.emplace_back(balancer.masked_steps().begin(), balancer.masked_steps().end());
  }
}

void Trainer::report_step(const numerics::Loss& loss, double rate) {
  window_.loss += loss.sum;
  window_.errors += loss.errors;
  window_.examples += batch_.rows;
  window_.steps += 1;
  window_.learning_rate = rate;
  const bool is_last = step_ == spec_.epochs() * steps_per_epoch();
  const bool is_row = step_ % spec_.log_every_steps == 0 || is_last;
  if (network_.ranks().is_coordinator()) {
    const TimedActivity reporting(network_.ranks().timing(), Activity::io);
    observer_.stepped(row_so_far());
  }
  if (is_row) log_row();
}

LogRow Trainer::row_so_far() const {
  const double seconds = std::chrono::duration<double>(Timing::Clock::now() - window_.began).count();
  const auto examples = static_cast<double>(window_.examples);
  LogRow row;
  row.step = step_;
  row.epoch = epoch_;
  row.phase = phase_;
  row.loss = window_.loss / examples;
  row.error = static_cast<double>(window_.errors) / examples;
  row.learning_rate = window_.learning_rate;
  row.examples_per_second = examples / std::max(seconds, 1e-9);
  return row;
}

void Trainer::log_row() {
  if (network_.ranks().is_coordinator()) {
    const TimedActivity reporting(network_.ranks().timing(), Activity::io);
    LogRow row = row_so_far();
    for (std::size_t l = 0; l < balancers_.size(); ++l) {
      AssignmentRow& layer = row.layers.emplace_back();
      for (std::size_t i = 0; i < balancers_[l].totals().size(); ++i) {
        const Index masked = balancers_[l].masked_steps()[i] - window_.masked_steps[l][i];
        layer.totals.push_back(balance::to_examples(balancers_[l].totals()[i]));
        layer.masked_fraction.push_back(static_cast<double>(masked) / static_cast<double>(window_.steps));
      }
    }
    observer_.logged(row);
  }
  open_window();
}

}  // namespace dmoe::training
