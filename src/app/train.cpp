#include "app/train.hpp"

#include <chrono>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "app/console.hpp"
#include "app/launch.hpp"
#include "app/named_option.hpp"
#include "app/output_folder.hpp"
#include "app/part_kind.hpp"
#include "app/progress.hpp"
#include "app/run_parts.hpp"
#include "app/stop_signals.hpp"
#include "app/terminal.hpp"
#include "app/wording.hpp"
#include "io/model_file.hpp"
#include "io/run_file.hpp"
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
};

std::optional<int> console_width(ProgressStyle style) {
  const std::optional<int> width = terminal_width();
  if (style == ProgressStyle::automatic) return width;
  return style == ProgressStyle::line ? std::optional<int>(width.value_or(80)) : std::nullopt;
}

io::NetworkRecord network_record(const model::NetworkSpec& spec) {
  return {network_text(spec.layers), spec.inputs, spec.classes, spec.parameter_count(),
          spec.multiply_accumulates()};
}

/// The training of one run: what it writes and what it says.
class TrainingRun {
 public:
  TrainingRun(const Job& job, const TrainOptions& options, const Config& config, const data::Dataset& dataset,
              distribution::Network& network)
      : world_(job.world()),
        options_(options),
        config_(config),
        network_(network),
        examples_(dataset.example_count(data::Split::train)),
        console_(std::cout, console_width(options.progress)),
        progress_(console_) {
    const io::Launch launch = launch_of(job, config);
    const std::string warning = mixed_instruction_sets(world_);
    if (says_progress()) introduce();
    if (world_.is_coordinator() && !warning.empty()) console_.line(warning);
    agreed(world_, [&] {
      if (world_.is_coordinator())
        file_.emplace(run_file(options_.output), config.text, config.training.seed,
                      network_record(network.spec()), launch);
    });
    std::vector<training::Observer*> observers;
    if (file_) observers.push_back(&*file_);
    if (says_progress()) observers.push_back(&progress_);
    observers_.emplace(observers);
    agreed(world_, [&] { trainer_.emplace(config.training, network, dataset, *observers_, stop_requested); });
  }

  Status run() {
    const training::Outcome outcome = trainer_->run();
    return outcome == training::Outcome::finished ? finish() : stop();
  }

 private:
  bool says_progress() const { return world_.is_coordinator() && options_.progress != ProgressStyle::none; }

  void introduce() {
    console_.line(fmt::format("training {} on {} ({} examples): {} parameters, {}, {}",
                              network_text(network_.spec().layers), config_.data.name, grouped(examples_),
                              grouped(network_.spec().parameter_count()),
                              counted(config_.training.epochs(), "epoch"), counted(world_.size(), "rank")));
    if (config_.baseline == model::Baseline::none) return;
    model::NetworkSpec mixture = network_.spec();
    mixture.layers = config_.layers;
    console_.line(fmt::format("this is the baseline {} of {}, which has {} parameters",
                              model::to_text(config_.baseline), network_text(mixture.layers),
                              grouped(mixture.parameter_count())));
  }

  Status finish() {
    save_model();
    close_run_file(io::RunStatus::finished);
    if (world_.is_coordinator()) summarize();
    return Status::done;
  }

  /// mpirun leaves about a second after ctrl-C: what says that the run was interrupted goes first.
  Status stop() {
    close_run_file(io::RunStatus::interrupted);
    save_model();
    if (world_.is_coordinator()) {
      console_.line(
          fmt::format("stopped on request after step {} of {}; {} holds the curves, {} the weights so far",
                      grouped(trainer_->steps_done()), grouped(steps_planned()), run_file(options_.output),
                      model_file(options_.output)));
    }
    return Status::failed;
  }

  void save_model() {
    const TimedActivity saving(world_.timing(), Activity::io);
    const Index steps = trainer_->steps_done();
    agreed(world_, [&] {
      io::save_model(model_file(options_.output), network_, config_.text, steps,
                     steps / trainer_->steps_per_epoch());
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
    const double seconds = std::chrono::duration<double>(Timing::Clock::now() - began_).count();
    const Index presented = config_.training.epochs() * examples_;
    std::string text = fmt::format("\n{} after {}\n", scores_text(last), counted(last.epoch, "epoch"));
    text +=
        fmt::format("{} steps in {}, {} examples/s with all evaluations\n", grouped(trainer_->steps_done()),
                    duration(seconds), grouped(static_cast<Index>(static_cast<double>(presented) / seconds)));
    text += fmt::format("  {}  curves, assignment totals, timing\n", run_file(options_.output));
    text += fmt::format("  {}  weights\n", model_file(options_.output));
    text += fmt::format("next: dmoe evaluate {0}, dmoe analyze {0}, dmoe info {0}\n", options_.output);
    console_.finish();
    std::cout << text << std::flush;
  }

  Index steps_planned() const { return config_.training.epochs() * trainer_->steps_per_epoch(); }

  const comm::Communicator& world_;
  const TrainOptions& options_;
  const Config& config_;
  distribution::Network& network_;
  Index examples_;  // of the training set
  Timing::Clock::time_point began_ = Timing::Clock::now();
  Console console_;
  Progress progress_;
  std::optional<io::RunFile> file_;  // on the coordinator
  std::optional<training::Observers> observers_;
  std::optional<training::Trainer> trainer_;
};

Status train(const Job& job, const TrainOptions& options) {
  const comm::Communicator& world = job.world();
  const Config config = load_config(world, options.config, options.overrides);
  check_output(world, options.output, options.existing);
  const std::unique_ptr<data::Dataset> dataset = load_data(world, config);
  const auto network = make_network(world, config, *dataset, training::Trainer::capacity(config.training));
  make_output(world, options.output, options.existing);
  catch_stop_signals();
  return TrainingRun(job, options, config, *dataset, *network).run();
}

std::string parts_help() {
  return "Data sets, keys of [data]:\n" + described(dataset_kind()) +
         "\nBalancing rules, balance = { rule = .. }:\n" + described(rule_kind()) +
         "\nLearning-rate schedules, learning_rate = { schedule = .. }:\n" + described(schedule_kind()) +
         "\nExit status: 0 done; 1 failed or stopped in mid-run; 2 bad usage, config or data.";
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
  parser.add_flag_callback(
      "--replace", [options] { options->existing = Existing::replace; }, "overwrite the run in that folder");
  parser
      .add_option("--set", options->overrides,
                  "override a key: train.seed=3, layers.1.hidden=50 (may be repeated)")
      ->allow_extra_args(false)
      ->option_text("KEY=VALUE");
  add_named_option<ProgressStyle>(
      parser, "--progress", options->progress,
      {{"auto", ProgressStyle::automatic},
       {"line", ProgressStyle::line},
       {"log", ProgressStyle::log},
       {"none", ProgressStyle::none}},
      "one changing line, plain lines or nothing; auto looks where the output goes");
  parser.footer(parts_help());
  return [options](const Job& job) { return train(job, *options); };
}

}  // namespace dmoe::app
