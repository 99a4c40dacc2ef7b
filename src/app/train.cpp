#include "app/train.hpp"

#include <chrono>
#include <exception>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "app/console.hpp"
#include "app/launch.hpp"
#include "app/named_option.hpp"
#include "app/progress.hpp"
#include "app/resume.hpp"
#include "app/run_folder.hpp"
#include "app/run_parts.hpp"
#include "app/stop_signals.hpp"
#include "app/terminal.hpp"
#include "app/wording.hpp"
#include "comm/watchdog.hpp"
#include "config/part_kind.hpp"
#include "data/statistics.hpp"
#include "io/model_file.hpp"
#include "io/run_file.hpp"
#include "numerics/architecture.hpp"
#include "training/routings.hpp"
#include "training/trainer.hpp"

namespace dmoe::app {

namespace {

enum class ProgressStyle { automatic, line, log, none };

struct TrainOptions {
  std::string config;
  std::string output;
  Existing existing = Existing::refuse;
  std::vector<std::string> overrides;
  ProgressStyle progress = ProgressStyle::automatic;
  bool is_dry_run = false;
};

std::optional<int> console_width(ProgressStyle style) {
  const std::optional<int> width = terminal_width();
  if (style == ProgressStyle::automatic) return width;
  return style == ProgressStyle::line ? std::optional<int>(width.value_or(80)) : std::nullopt;
}

/// "training 4x100 - 4x100 on jittered_mnist (60,000 examples): 630,518 parameters, 12 epochs, 2 ranks".
std::string introduction(const config::Config& config, const model::NetworkSpec& spec, Index train_examples,
                         int ranks) {
  return fmt::format("training {} on {} ({}): {} parameters, {}, {}", network_text(spec.layers),
                     config.data.name, counted(train_examples, "example"), grouped(spec.parameter_count()),
                     counted(config.training.epochs(), "epoch"), counted(ranks, "rank"));
}

io::NetworkRecord network_record(const model::NetworkSpec& spec) {
  return {network_text(spec.layers), spec.inputs, spec.classes, spec.parameter_count(),
          spec.multiply_accumulates()};
}

/// The training of one run: what it writes and what it says.
class TrainingRun {
 public:
  TrainingRun(const Job& job, const TrainOptions& options, const config::Config& config,
              const LoadedData& data, distribution::Network& network, Resumption before)
      : world_(job.world()),
        options_(options),
        config_(config),
        dataset_(*data.dataset),
        network_(network),
        before_(std::move(before)),
        data_{data.dataset->example_count(data::Split::train),
              data.dataset->example_count(data::Split::validation),
              data.dataset->example_count(data::Split::test), data.folder, data.contents},
        console_(std::cout, console_width(options.progress)),
        progress_(console_) {
    const io::Launch launch = launch_of(job, config.numerics.threads);
    const std::string warning = mixed_instruction_sets(world_);
    if (says_progress()) introduce();
    if (world_.is_coordinator()) say_remarks(warning);
    agreed(world_, [&] {
      trainer_.emplace(config.training, network, *data.dataset, observers_, [this] { return is_to_stop(); });
    });
    if (!before_.checkpoint.empty()) {
      agreed(world_, [&] { io::load_checkpoint(before_.checkpoint, network, trainer_->optimizer()); });
      trainer_->restore(before_.state);
    }
    agreed(world_, [&] {  // last: what cannot go on leaves the run file as it was
      if (world_.is_coordinator()) open_run_file(launch);
    });
    if (file_) observers_.add(*file_);
    if (says_progress()) observers_.add(progress_);
  }

  Status run() {
    try {
      const training::Outcome outcome = trainer_->run([this] { save_checkpoint(); });
      return outcome == training::Outcome::finished ? finish() : stop();
    } catch (const training::NumericalError& error) {
      close_run_file(io::RunStatus::failed);
      throw AgreedError(Status::failed, with_last_checkpoint(error.what() + unusual_features()));
    }
  }

 private:
  bool says_progress() const { return world_.is_coordinator() && options_.progress != ProgressStyle::none; }

  bool is_to_stop() const {
    return stop_requested() ||
           (world_.is_coordinator() && config_.stop_after && seconds() >= *config_.stop_after);
  }
  double seconds() const { return std::chrono::duration<double>(Timing::Clock::now() - began_).count(); }

  /// What must be known of these numbers, watched or not.
  void say_remarks(const std::string& warning) {
    for (const std::string& remark : before_.remarks) console_.line(remark);
    if (!warning.empty()) console_.line(warning);
  }

  void introduce() {
    console_.line(introduction(config_, network_.spec(), data_.train_examples, world_.size()));
    if (config_.baseline == model::Baseline::none) return;
    model::NetworkSpec mixture = network_.spec();
    mixture.layers = config_.layers;
    console_.line(fmt::format("this is the baseline {} of {}, which has {} parameters",
                              model::to_text(config_.baseline), network_text(mixture.layers),
                              grouped(mixture.parameter_count())));
  }

  void open_run_file(const io::Launch& launch) {
    io::RunSummary run = before_.run ? std::move(*before_.run)
                                     : io::new_run(config_.text, config_.training.seed,
                                                   network_record(network_.spec()), data_);
    run.config_toml = config_.text;
    run.data = data_;
    io::LaunchRecord record;
    record.launch = launch;
    record.first_step = before_.state.step;
    record.config_changes = before_.config_changes;
    file_.emplace(run_file(options_.output), std::move(run), std::move(record));
  }

  void save_checkpoint() {
    const TimedActivity saving(world_.timing(), Activity::io);
    const std::string folder = checkpoint_folder(options_.output);
    io::Checkpoint checkpoint{trainer_->state(), numerics::instruction_set(), {}};
    if (file_) checkpoint.run = file_->summary();
    agreed(world_, [&] {
      io::save_checkpoint(io::checkpoint_path(folder, trainer_->steps_done()), network_,
                          trainer_->optimizer(), checkpoint);
    });
    if (world_.is_coordinator()) io::prune_checkpoints(folder, config_.training.checkpoint.keep);
  }

  Status finish() {
    save_model();
    close_run_file(io::RunStatus::finished);
    if (world_.is_coordinator()) summarize();
    return Status::done;
  }

  Status stop() {
    close_run_file(io::RunStatus::interrupted);
    if (world_.is_coordinator()) {
      console_.line(with_last_checkpoint(fmt::format("stopped on request after step {} of {}",
                                                     grouped(trainer_->steps_done()),
                                                     grouped(trainer_->steps_planned()))));
    }
    return Status::stopped;
  }

  /// "; the features are not normalised, ..", for the coordinator to say. What goes wrong meanwhile matters
  /// less.
  std::string unusual_features() const {
    if (!world_.is_coordinator()) return "";
    try {
      const std::string unusual = data::unusual_features(dataset_);
      return unusual.empty() ? "" : "; " + unusual;
    } catch (const std::exception&) {
      return "";
    }
  }

  /// Says where to go on, if there is anything to go on from.
  std::string with_last_checkpoint(const std::string& text) const {
    const std::vector<std::string> saved = io::find_checkpoints(checkpoint_folder(options_.output));
    return saved.empty() ? text : fmt::format("{}; dmoe train --resume goes on from {}", text, saved.front());
  }

  void save_model() {
    const TimedActivity saving(world_.timing(), Activity::io);
    const training::State state = trainer_->state();
    agreed(world_, [&] {
      io::save_model(model_file(options_.output), network_, config_.text,
                     {state.step, state.epoch, state.phase, data_});
    });
  }

  void close_run_file(io::RunStatus status) {
    const training::RankSeconds seconds = trainer_->rank_seconds();
    agreed(world_, [&] {
      if (file_) file_->finish(status, seconds);
    });
  }

  void summarize() {
    const training::EvaluationRow& last = file_->summary().evaluations.back();
    const double took = seconds();
    const Index steps = trainer_->steps_done() - before_.state.step;
    const Index presented = steps / trainer_->steps_per_epoch() * data_.train_examples +
                            steps % trainer_->steps_per_epoch() * config_.training.batch_size;
    std::string text = fmt::format("\n{} after {}\n", scores_text(last), counted(last.epoch, "epoch"));
    text += fmt::format("{} in {}, {} examples/s with all evaluations\n", counted(steps, "step"),
                        duration(took), grouped(static_cast<Index>(static_cast<double>(presented) / took)));
    text += fmt::format("  {}  curves, assignment totals, timing\n", run_file(options_.output));
    text += fmt::format("  {}  weights\n", model_file(options_.output));
    text += fmt::format("next: dmoe evaluate {0}, dmoe analyze {0}, dmoe info {0}\n", options_.output);
    console_.finish();
    std::cout << printable(text) << std::flush;
  }

  const comm::Communicator& world_;
  const TrainOptions& options_;
  const config::Config& config_;
  const data::Dataset& dataset_;
  distribution::Network& network_;
  Resumption before_;
  io::DataRecord data_;
  Timing::Clock::time_point began_ = Timing::Clock::now();
  Console console_;
  Progress progress_;
  std::optional<io::RunFile> file_;  // on the coordinator
  training::Observers observers_;
  std::optional<training::Trainer> trainer_;
};

void print_dry_run(const config::Config& config, const distribution::Network& network,
                   const data::Dataset& dataset, const std::vector<std::string>& remarks) {
  const Index examples = dataset.example_count(data::Split::train);
  fmt::print("{}\n", introduction(config, network.spec(), examples, network.ranks().size()));
  for (const std::string& remark : remarks) fmt::print("{}\n", remark);
  fmt::print("a dry run: nothing was written\n");
}

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

Status train(const Job& job, const TrainOptions& options) {
  const comm::Communicator& world = job.world();
  const config::Config config = load_config(world, options.config, options.overrides);
  const comm::Watchdog watchdog(world, config.comm.timeout);
  RunFolder folder(world, options.output, options.existing);
  const bool resumes = options.existing == Existing::resume;
  const LoadedData data =
      load_data(world, config, resumes ? known_data(world, options.output) : io::DataRecord{});
  Resumption before;
  if (resumes) before = find_resumption(world, options.output, config, data.contents);
  if (before.is_finished) {
    if (world.is_coordinator()) fmt::print("{}: is finished already; nothing to do\n", options.output);
    return Status::done;
  }
  const auto network =
      make_network(world, config, *data.dataset, training::Trainer::capacity(config.training));
  agreed(world, [&] {
    const std::vector<std::string> routings = check_routings(config, network->spec());
    if (!world.is_coordinator()) return;
    for (const auto& remarks : {data.remarks, remarks_on(data), routings})
      for (const std::string& remark : remarks) before.remarks.push_back(one_line(remark));
  });
  if (world.is_coordinator() && resumes && !folder.is_there())
    before.remarks.push_back(fmt::format("{} is not there yet: beginning at the first step", options.output));
  if (options.is_dry_run) {
    if (world.is_coordinator()) print_dry_run(config, *network, *data.dataset, before.remarks);
    return Status::done;
  }
  catch_stop_signals();  // first: who sees the folder may send one
  folder.make();
  if (!folder.warning().empty()) before.remarks.push_back(folder.warning());
  return TrainingRun(job, options, config, data, *network, std::move(before)).run();
}

std::string parts_help() {
  return "Data sets, keys of [data]:\n" + config::described(config::dataset_kind()) +
         "\nBalancing rules, balance = { rule = .. }:\n" + config::described(config::rule_kind()) +
         "\nRoutings, routing = { rule = .. } or one for each layer, [{ rule = .. }, ..]:\n" +
         config::described(config::routing_kind()) +
         "\nLearning-rate schedules, learning_rate = { schedule = .. }:\n" +
         config::described(config::schedule_kind()) +
         "\nExit status: 0 done; 1 failed in mid-run; 2 bad usage, config or data; 75 stopped on request "
         "(USR1, TERM,\n"
         "ctrl-C, train.stop_after): the checkpoint is written, --resume goes on.";
}

}  // namespace

Action declare_train(CLI::App& parser) {
  const auto options = std::make_shared<TrainOptions>();
  parser.add_option("config", options->config, "what to train, on what and how")
      ->required()
      ->option_text("CONFIG.toml");
  parser.add_option("--output", options->output, "folder for the results, made by the run")
      ->required()
      ->option_text("RUN");
  CLI::Option* const replace = parser.add_flag_callback(
      "--replace", [options] { options->existing = Existing::replace; }, "overwrite the run in that folder");
  parser
      .add_flag_callback(
          "--resume", [options] { options->existing = Existing::resume; },
          "go on from its newest checkpoint, on any number of ranks; begin where there is none")
      ->excludes(replace);
  parser
      .add_option("--set", options->overrides,
                  "override a key: train.seed=3, layers.1.hidden=50 (may be repeated)")
      ->allow_extra_args(false)
      ->option_text("KEY=VALUE");
  parser.add_flag("--dry-run", options->is_dry_run,
                  "check config, data and folder, say what would be trained, and write nothing");
  add_named_option<ProgressStyle>(parser, "--progress", options->progress,
                                  {{"auto", ProgressStyle::automatic},
                                   {"line", ProgressStyle::line},
                                   {"log", ProgressStyle::log},
                                   {"none", ProgressStyle::none}},
                                  "one changing line, plain lines or none; auto looks where the output goes");
  parser.footer(parts_help());
  return [options](const Job& job) { return train(job, *options); };
}

}  // namespace dmoe::app
