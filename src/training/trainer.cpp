#include "training/trainer.hpp"

#include <chrono>
#include <ratio>
#include <utility>

#include "core/error.hpp"

namespace dmoe::training {

namespace {

/// What shortens a gradient to the longest allowed.
float clip_scale(double norm, double longest) {
  return norm > longest ? static_cast<float>(longest / norm) : 1.0F;
}

}  // namespace

Trainer::Trainer(const TrainingSpec& spec, distribution::Network& network, const data::Dataset& dataset,
                 Observer& observer, StopRequested stop_requested)
    : spec_(spec),
      network_(network),
      dataset_(dataset),
      observer_(observer),
      stop_requested_(std::move(stop_requested)),
      sampler_(dataset.example_count(data::Split::train), spec.batch_size, spec.seed),
      timetable_(spec, sampler_.steps_per_epoch()),
      batch_(network, dataset),
      optimizer_(network, spec.momentum, spec.weight_decay),
      balancing_(spec.phases, network),
      batch_loss_(network.grid()),
      open_row_(balancing_.masked_steps()),
      trouble_(network) {
  if (const Index slices = network.grid().slices().slices(); slices != spec.slices)
    throw InputError("train.slices is {}, but the network is made for {}", spec.slices, slices);
  if (const Index slices = network.grid().gate_slices().slices(); slices != spec.slices_of_gates())
    throw InputError("train.gate_slices is {}, but the network is made for {}", spec.slices_of_gates(),
                     slices);
  for (const PhaseSpec& phase : spec.phases)
    schedules_.push_back(schedules().find(phase.schedule.name).make(phase.schedule.settings));
  if (spec.max_gradient_norm > 0) gradient_norm_.emplace(network);
}

Plan Trainer::plan() const {
  Plan plan{step_, steps_planned(), steps_per_epoch(), timetable_.epochs(), {}, {}};
  for (std::size_t p = 0; p < spec_.phases.size(); ++p) {
    plan.phases.push_back(spec_.phases[p].name);
    plan.phase_steps.push_back(timetable_.steps_of(static_cast<Index>(p)));
  }
  return plan;
}

Outcome Trainer::run(const SaveCheckpoint& save_checkpoint) {
  if (world().is_coordinator()) observer_.began(plan());
  saved_step_ = step_;
  const Outcome outcome = run_steps(save_checkpoint);
  if (outcome == Outcome::stopped) save(save_checkpoint);
  optimizer_.catch_up();
  // The end of the curves; a start from the last checkpoint makes it whole.
  if (open_row_.has_steps()) log_row();
  return outcome;
}

Outcome Trainer::run_steps(const SaveCheckpoint& save_checkpoint) {
  while (true) {
    if (evaluation_is_due() && !evaluate_all()) return Outcome::stopped;
    if (checkpoint_is_due()) save(save_checkpoint);
    if (step_ == steps_planned()) return Outcome::finished;
    while (phase_ < timetable_.phase(step_)) begin_phase(phase_ + 1);
    const double rate = learning_rate();
    report_step(step(rate), rate);
    const distribution::StepRequests requests = balancing_.requests();
    if (requests.help) trouble_.check();
    if (requests.stop) return Outcome::stopped;
    if (requests.checkpoint) save(save_checkpoint);
  }
}

double Trainer::learning_rate() const {
  return schedules_[size(phase_)]->rate(epochs_done() - timetable_.first_epoch(phase_),
                                        timetable_.epochs_of(phase_));
}

Rates Trainer::rates(double learning_rate) const {
  const PhaseSpec& phase = spec_.phases[size(std::max<Index>(phase_, 0))];
  return {learning_rate, learning_rate * phase.expert_rate_factor};
}

bool Trainer::evaluation_is_due() const {
  return evaluated_epoch_ != epochs_done() && timetable_.evaluation_is_due(step_);
}

bool Trainer::checkpoint_is_due() const {
  return saved_step_ != step_ && timetable_.checkpoint_is_due(step_);
}

void Trainer::save(const SaveCheckpoint& save_checkpoint) {
  trouble_.check();
  optimizer_.catch_up();
  save_checkpoint();
  saved_step_ = step_;
  saved_at_ = Timing::Clock::now();
}

State Trainer::state() const {
  return {.step = step_,
          .epoch = epochs_done(),
          .phase = phase_,
          .evaluations = evaluations_,
          .evaluated_epoch = evaluated_epoch_,
          .layers = balancing_.state(),
          .window = open_row_.window()};
}

void Trainer::restore(State state) {
  step_ = state.step;
  phase_ = state.phase;
  evaluations_ = state.evaluations;
  evaluated_epoch_ = state.evaluated_epoch;
  if (phase_ >= 0) balancing_.restore(std::move(state.layers), phase_);
  open_row_ = OpenRow(std::move(state.window));
}

void Trainer::begin_phase(Index phase) {
  phase_ = phase;
  balancing_.begin_phase(phase);
}

numerics::Loss Trainer::step(double learning_rate) {
  const std::span<const Index> examples = sampler_.examples(step_);
  const auto batch_rows = static_cast<Index>(examples.size());
  const model::RowRange own = network_.grid().slices().own_rows(batch_rows);
  const auto first = static_cast<std::uint64_t>(sampler_.first_presentation(step_) + own.first);
  batch_.present(data::Split::train, examples.subspan(size(own.first), size(own.count)),
                 {Purpose::train_transform, first}, true);
  network_.forward(batch_.input(), balancing_.masks(), model::Presentation{spec_.seed, first});
  balancing_.start(requests());
  const data::Batch& batch = batch_.batch();
  const numerics::Loss own_loss = network_.backward(batch.inputs(), batch.labels(), batch_rows);
  batch_loss_.start(network_.slice_losses());
  const auto scale = gradient_norm_ ? clip_scale((*gradient_norm_)(), spec_.max_gradient_norm) : 1.0F;
  const std::optional<std::string> damaged = optimizer_.step(rates(learning_rate), scale);
  balancing_.finish();
  ++step_;
  examples_of_step_ = batch_rows;
  trouble_.note(step_, own_loss, damaged, learning_rate);
  return batch_loss_.finish();
}

distribution::StepRequests Trainer::requests() const {
  const double minutes = spec_.checkpoint.every_minutes;
  const auto since_checkpoint = Timing::Clock::now() - saved_at_;
  return {.stop = stop_requested_(),
          .checkpoint = world().is_coordinator() && minutes > 0 &&
                        since_checkpoint >= std::chrono::duration<double, std::ratio<60>>(minutes),
          .help = trouble_.is_there()};
}

bool Trainer::evaluate_all() {
  trouble_.check();
  const comm::Communicator& ranks = world();
  EvaluationRow row;
  row.epoch = epochs_done();
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
  evaluated_epoch_ = epochs_done();
  const RankSeconds seconds = rank_seconds();
  if (!ranks.is_coordinator()) return true;
  const TimedActivity reporting(ranks.timing(), Activity::io);
  observer_.evaluated(row, seconds);
  open_row_.leave_out(Timing::Clock::now() - began);  // examples per second are those of training
  return true;
}

RankSeconds Trainer::rank_seconds() const {
  const comm::Communicator& ranks = world();
  const std::vector<double> all = ranks.gather(ranks.timing().seconds());
  constexpr std::size_t activities = ActivitySeconds{}.size();
  RankSeconds seconds(all.size() / activities);
  for (std::size_t i = 0; i < all.size(); ++i) seconds[i / activities][i % activities] = all[i];
  return seconds;
}

void Trainer::report_step(const numerics::Loss& loss, double rate) {
  open_row_.add(loss, examples_of_step_, rate);
  if (world().is_coordinator()) {
    const TimedActivity reporting(world().timing(), Activity::io);
    observer_.stepped(row_so_far());
  }
  if (timetable_.log_row_is_due(step_)) log_row();
}

LogRow Trainer::row_so_far() const {
  LogRow row = open_row_.means();
  row.step = step_;
  row.epoch = timetable_.epoch(step_ - 1);
  row.phase = phase_;
  return row;
}

void Trainer::log_row() {
  if (world().is_coordinator()) {
    const TimedActivity reporting(world().timing(), Activity::io);
    const Window window = open_row_.window();
    LogRow row = row_so_far();
    row.layers = balancing_.rows(window.masked_steps, window.steps);
    observer_.logged(row);
  }
  open_row_ = OpenRow(balancing_.masked_steps());
}

}  // namespace dmoe::training
