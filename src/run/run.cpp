#include "run/run.hpp"

#include <exception>
#include <utility>

#include <fmt/format.h>

#include "comm/together.hpp"
#include "console/wording.hpp"
#include "data/statistics.hpp"
#include "exchange/homes.hpp"
#include "io/model_file.hpp"
#include "numerics/architecture.hpp"
#include "run/launch.hpp"
#include "run/layout.hpp"
#include "training/routings.hpp"
#include "training/self_test.hpp"

namespace dmoe::run {

namespace {

/// Whether every phase can route this network as it says; remarks on what it can and nobody wants. Throws
/// InputError. Local.
std::vector<std::string> check_routings(const config::Config& config, const model::NetworkSpec& network) {
  std::vector<std::string> remarks;
  for (const training::PhaseSpec& phase : config.training.phases) {
    const training::Routings routings(phase.routings, network.layer_count());
    try {
      routings.check(network);
    } catch (const InputError& error) {
      throw InputError("phases.{}.routing: {}", phase.name, error.what());
    }
    for (Index l = 0; l < network.layer_count() && phase.epochs > 0; ++l) {
      const model::LayerSpec& layer = network.layers[size(l)];
      if (!layer.is_gated()) continue;
      if (routings.of(l).least_experts() > layer.experts)
        remarks.push_back(fmt::format("phases.{}.routing: layer {} has {} experts, all of which are chosen",
                                      phase.name, l + 1, layer.experts));
      if (!routings.of(l).teaches_gate(layer.experts))
        remarks.push_back(fmt::format(
            "phases.{}.routing: the gate of layer {} learns nothing: the renormalised value of the one "
            "chosen is always 1 (value = \"probability\" or \"straight_through\" would teach it)",
            phase.name, l + 1));
    }
  }
  return remarks;
}

/// What makes data hard to learn from. Local.
std::vector<std::string> remarks_on(const LoadedData& data) {
  std::vector<std::string> remarks;
  for (const std::string& text :
       {data::classes_not_trained(data.contents), data::unusual_features(*data.dataset)})
    if (!text.empty()) remarks.push_back("warning: " + text);
  return remarks;
}

io::DataRecord record_of(const LoadedData& data) {
  return {data.dataset->example_count(data::Split::train),
          data.dataset->example_count(data::Split::validation),
          data.dataset->example_count(data::Split::test), data.folder, data.contents};
}

bool resumes(const RunOptions& options) {
  return options.existing == Existing::resume;
}

}  // namespace

io::NetworkRecord network_record(const model::NetworkSpec& spec) {
  return {console::network_text(spec.layers),
          io::layer_records(spec),
          spec.inputs,
          spec.classes,
          spec.parameter_count(),
          spec.multiply_accumulates()};
}

Run::Run(const comm::Session& session, config::Config config, RunOptions options)
    : session_(session),
      world_(session.world()),
      config_(std::move(config)),
      watchdog_(world_, config_.comm.timeout),
      options_(std::move(options)),
      folder_(world_, options_.folder, options_.existing),
      data_(load_data(world_, config_, resumes(options_) ? known_data(world_, folder()) : io::DataRecord{})),
      record_(record_of(data_)) {
  if (resumes(options_)) before_ = find_resumption(world_, folder(), config_, data_.contents);
  if (before_.is_finished) return;
  training::self_test(world_);
  ChosenGrid chosen = make_grid(world_, config_, network_of(config_, dataset()));
  layout_reason_ = std::move(chosen.reason);
  network_ = make_network(chosen.grid, config_, dataset(),
                          training::Trainer::capacity(config_.training, chosen.grid));
  comm::together(world_, [&] {
    const std::vector<std::string> routings = check_routings(config_, network_->spec());
    if (!world_.is_coordinator()) return;
    for (const auto& remarks : {data_.remarks, remarks_on(data_), routings})
      for (const std::string& remark : remarks) before_.remarks.push_back(console::one_line(remark));
  });
  if (world_.is_coordinator() && resumes(options_) && !folder_.is_there())
    before_.remarks.push_back(fmt::format("{} is not there yet: beginning at the first step", folder()));
}

void Run::open() {
  if (std::exchange(is_open_, true)) return;
  folder_.make();
  const std::string sets = mixed_instruction_sets(world_);
  comm::together(world_, [&] {
    if (!world_.is_coordinator() || write_config(folder(), config_)) return;
    before_.remarks.push_back(
        fmt::format("{} is not of this run, and stays as it is", config_file(folder())));
  });
  for (const std::string& warning : {folder_.warning(), sets})
    if (!warning.empty()) before_.remarks.push_back(warning);
}

training::Outcome Run::train(training::Observer& observer, const training::StopRequested& stop_requested) {
  if (is_finished() || trainer_) throw InputError("{}: is trained already", folder());
  open();
  began_ = Timing::Clock::now();
  io::Launch launch = launch_of(session_, options_.command_line, config_.numerics.threads);
  launch.replicas = network_->grid().replicas();
  launch.gating = exchange::to_text(network_->grid().gating());
  const auto is_to_stop = [&] {
    if (stop_requested()) return true;
    is_out_of_time_ = world_.is_coordinator() && config_.stop_after && seconds() >= *config_.stop_after;
    return is_out_of_time_;
  };
  comm::together(world_,
                 [&] { trainer_.emplace(config_.training, *network_, dataset(), observers_, is_to_stop); });
  if (!before_.checkpoint.empty()) {
    comm::together(world_,
                   [&] { io::load_checkpoint(before_.checkpoint, *network_, trainer_->optimizer()); });
    trainer_->restore(before_.state);
  }
  comm::together(world_, [&] {  // last: what cannot go on leaves the run file as it was
    if (world_.is_coordinator()) open_run_file(launch);
  });
  if (file_) observers_.add(*file_);
  observers_.add(observer);
  try {
    const training::Outcome outcome = trainer_->run([this] { save_checkpoint(); });
    const bool is_done = outcome == training::Outcome::finished;
    if (is_done) save_model();
    close_run_file(is_done ? io::RunStatus::finished : io::RunStatus::interrupted);
    return outcome;
  } catch (const training::NumericalError& error) {
    close_run_file(io::RunStatus::failed);
    throw comm::OnAllRanks<RunError>(world_, error.what() + unusual_features());
  }
}

Index Run::examples_presented() const {
  const Index steps = steps_done() - first_step();
  const Index per_epoch = trainer_->steps_per_epoch();
  return steps / per_epoch * record_.train_examples + steps % per_epoch * config_.training.batch_size;
}

std::string Run::newest_checkpoint() const {
  const std::vector<std::string> saved =
      io::find_checkpoints(checkpoint_folder(folder()), trainer_ ? steps_done() : first_step());
  return saved.empty() ? "" : saved.front();
}

void Run::open_run_file(const io::Launch& launch) {
  io::RunSummary run =
      before_.run ? std::move(*before_.run) : io::new_run(config_.text, config_.training.seed);
  run.config_toml = config_.text;
  run.network = network_record(network_->spec());  // typed, of an older file too
  run.data = record_;
  io::LaunchRecord record;
  record.launch = launch;
  record.first_step = before_.state.step;
  record.config_changes = before_.config_changes;
  file_.emplace(run_file(folder()), std::move(run), std::move(record));
}

void Run::save_checkpoint() {
  const TimedActivity saving(world_.timing(), Activity::io);
  const std::string checkpoints = checkpoint_folder(folder());
  const io::RunSummary nothing;
  require_equal_replicas();
  comm::together(world_, [&] {
    io::save_checkpoint(io::checkpoint_path(checkpoints, trainer_->steps_done()), *network_,
                        trainer_->optimizer(), trainer_->state(), numerics::instruction_set(),
                        file_ ? file_->summary() : nothing);
  });
  if (world_.is_coordinator())
    io::prune_checkpoints(checkpoints, config_.training.checkpoint.keep, trainer_->steps_done());
}

void Run::require_equal_replicas() {
  const std::optional<int> other = network_->differing_rank();
  comm::together(world_, [&] {
    if (other)
      throw RunError(
          "rank {} (replica {}) has other weights than those that hold the same after step {}: nothing is "
          "saved; its memory or CPU is not to be trusted",
          *other, *other / network_->grid().group().size() + 1, trainer_->steps_done());
  });
}

void Run::save_model() {
  const TimedActivity saving(world_.timing(), Activity::io);
  const training::State state = trainer_->state();
  require_equal_replicas();
  comm::together(world_, [&] {
    io::save_model(model_file(folder()), *network_, config_.text,
                   {state.step, state.epoch, state.phase, record_});
  });
}

void Run::close_run_file(io::RunStatus status) {
  const training::RankSeconds seconds = trainer_->rank_seconds();
  comm::together(world_, [&] {
    if (file_) file_->finish(status, seconds);
  });
}

/// "; the features are not normalised, ..", for the coordinator to say. What goes wrong meanwhile matters
/// less.
std::string Run::unusual_features() const {
  if (!world_.is_coordinator()) return "";
  try {
    const std::string unusual = data::unusual_features(dataset());
    return unusual.empty() ? "" : "; " + unusual;
  } catch (const std::exception&) {
    return "";
  }
}

}  // namespace dmoe::run
