#include "commands/train.hpp"

#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "comm/archive.hpp"
#include "comm/mpi_library.hpp"
#include "comm/together.hpp"
#include "commands/named_option.hpp"
#include "config/part_kind.hpp"
#include "console/console.hpp"
#include "console/progress.hpp"
#include "console/terminal.hpp"
#include "console/wording.hpp"
#include "core/error.hpp"
#include "core/exit_status.hpp"
#include "run/layout.hpp"
#include "run/run.hpp"
#include "run/stop_signals.hpp"

namespace dmoe::commands {

namespace {

enum class ProgressStyle { automatic, line, log, none };

struct TrainOptions {
  std::string config;  // empty: that of the run to resume
  std::string output;  // empty: named after the config
  run::Existing existing = run::Existing::refuse;
  std::vector<std::string> overrides;
  ProgressStyle progress = ProgressStyle::automatic;
  bool is_dry_run = false;

  bool resumes() const { return existing == run::Existing::resume; }
};

std::optional<int> console_width(ProgressStyle style) {
  const std::optional<int> width = console::terminal_width();
  if (style == ProgressStyle::automatic) return width;
  return style == ProgressStyle::line ? std::optional<int>(width.value_or(80)) : std::nullopt;
}

/// "training 4x100 - 4x100 on jittered_mnist (60,000 examples): 630,518 parameters, 12 epochs, 2 ranks", and
/// why these replicas.
std::vector<std::string> introduction(const run::Run& run) {
  const config::Config& config = run.config();
  const model::NetworkSpec& spec = run.network().spec();
  const std::string& reason = run.layout_reason();
  std::vector<std::string> lines{fmt::format(
      "training {} on {} ({}): {} parameters, {}, {}{}", console::network_text(spec.layers), config.data.name,
      console::counted(run.dataset().example_count(data::Split::train), "example"),
      console::grouped(spec.parameter_count()), console::counted(config.training.epochs(), "epoch"),
      run::layout_text(run.network().grid(), config.training.batch_size),
      reason.empty() ? "" : fmt::format(" ({})", reason))};
  if (config.baseline == model::Baseline::none) return lines;
  model::NetworkSpec mixture = spec;
  mixture.layers = config.layers;
  lines.push_back(fmt::format("this is the baseline {} of {}, which has {} parameters",
                              model::to_text(config.baseline), console::network_text(mixture.layers),
                              console::grouped(mixture.parameter_count())));
  return lines;
}

/// Trains a run and tells the coordinator's console about it.
class Training {
 public:
  Training(const Job& job, const TrainOptions& options, run::Run& run)
      : job_(job),
        options_(options),
        run_(run),
        console_(std::cout, console_width(options.progress)),
        progress_(console_) {}

  ExitStatus carry_out() {
    run::catch_stop_signals();  // first: who sees the folder may send one
    run_.open();
    if (is_coordinator()) begin();
    try {
      const training::Outcome outcome = run_.train(observers_, run::stop_requested);
      const bool is_done = outcome == training::Outcome::finished;
      if (is_coordinator()) is_done ? summarize() : say_how_to_go_on();
      return is_done ? ExitStatus::done : ExitStatus::stopped;
    } catch (const std::exception& error) {
      if (!comm::is_thrown_by_all(job_.world(), error)) throw;
      const bool may_go_on = dynamic_cast<const RunError*>(&error) != nullptr;
      const std::string message = error.what() + (may_go_on && is_coordinator() ? where_to_go_on("; ") : "");
      if (is_coordinator()) console_.note(message);
      if (may_go_on) throw comm::OnAllRanks<RunError>(job_.world(), message);
      throw;
    }
  }

 private:
  bool is_coordinator() const { return job_.world().is_coordinator(); }

  void begin() {
    console_.keep_in(run::log_file(run_.folder()), job_.command_line);
    if (options_.progress != ProgressStyle::none) {
      for (const std::string& line : introduction(run_)) console_.line(line);
      observers_.add(progress_);
    }
    for (const std::string& remark : run_.remarks()) console_.line(remark);
  }

  /// "dmoe train --resume .. goes on from ..", where there is anything to go on from.
  std::string where_to_go_on(const std::string& before) const {
    const std::string checkpoint = run_.newest_checkpoint();
    if (checkpoint.empty()) return "";
    return fmt::format("{}dmoe train --resume --output {} goes on from {}", before,
                       console::shell_quoted(run_.folder()), checkpoint);
  }

  /// The last line works when it is pasted.
  void say_how_to_go_on() {
    if (run_.is_out_of_time())
      console_.line(fmt::format(
          "train.stop_after: each launch of this run has {} (--set train.stop_after=never lifts that)",
          console::duration(*run_.config().stop_after)));
    console_.line(fmt::format("stopped on request after step {} of {}{}", console::grouped(run_.steps_done()),
                              console::grouped(run_.steps_planned()),
                              run_.newest_checkpoint().empty()
                                  ? ""
                                  : fmt::format("; --resume goes on from {}:", run_.newest_checkpoint())));
    const std::string launcher = comm::launcher_of_this_job();
    console_.close(fmt::format("  {}{}{} train --resume --output {}\n", launcher, launcher.empty() ? "" : " ",
                               console::shell_quoted(job_.program), console::shell_quoted(run_.folder())));
  }

  void summarize() {
    const training::EvaluationRow& last = run_.last_evaluation();
    const double took = run_.seconds();
    std::string text =
        fmt::format("\n{} after {}\n", console::scores_text(last), console::counted(last.epoch, "epoch"));
    text += fmt::format(
        "{} in {}, {} examples/s with all evaluations\n",
        console::counted(run_.steps_done() - run_.first_step(), "step"), console::duration(took),
        console::grouped(static_cast<Index>(static_cast<double>(run_.examples_presented()) / took)));
    text += fmt::format("  {}  curves, assignment totals, timing\n", run::run_file(run_.folder()));
    text += fmt::format("  {}  weights\n", run::model_file(run_.folder()));
    text += fmt::format("next: dmoe evaluate {0}, dmoe analyze {0}, dmoe info {0}\n",
                        console::shell_quoted(run_.folder()));
    console_.close(text);
  }

  const Job& job_;
  const TrainOptions& options_;
  run::Run& run_;
  console::Console console_;
  console::Progress progress_;
  training::Observers observers_;
};

ExitStatus train_in(const Job& job, const TrainOptions& options, config::Config config,
                    const run::RunOptions& where) {
  const comm::Communicator& world = job.world();
  run::Run run(job.session, std::move(config), where);
  if (run.is_finished()) {
    if (world.is_coordinator()) fmt::print("{}: is finished already; nothing to do\n", where.folder);
    return ExitStatus::done;
  }
  if (!options.is_dry_run) return Training(job, options, run).carry_out();
  if (!world.is_coordinator()) return ExitStatus::done;
  for (const std::string& line : introduction(run)) fmt::print("{}\n", line);
  for (const std::string& remark : run.remarks()) fmt::print("{}\n", remark);
  fmt::print("a dry run: nothing was written\n");
  return ExitStatus::done;
}

/// A run whose folder the command line does not name: after the config, with a number.
ExitStatus train_numbered(const Job& job, const TrainOptions& options, config::Config config) {
  const comm::Communicator& world = job.world();
  const bool claims = !options.resumes() && !options.is_dry_run;
  std::optional<run::ClaimedFolder> claimed;  // on the coordinator
  std::string folder;
  comm::together(world, [&] {
    if (!world.is_coordinator()) return;
    if (claims) claimed.emplace(options.config);
    folder = claimed             ? claimed->path()
             : options.resumes() ? run::newest_folder(options.config)
                                 : run::new_folder(options.config);
    fmt::print("writing to {}\n", console::shell_quoted(folder));
    std::fflush(stdout);
  });
  comm::broadcast_object(world, folder);
  const run::Existing existing = claims ? run::Existing::claimed : options.existing;
  return train_in(job, options, std::move(config), {folder, existing, job.command_line});
}

ExitStatus train(const Job& job, const TrainOptions& options) {
  const comm::Communicator& world = job.world();
  config::Config config = options.config.empty()
                              ? run::config_of_run(world, options.output, options.overrides)
                              : run::load_config(world, options.config, options.overrides);
  if (options.output.empty()) return train_numbered(job, options, std::move(config));
  return train_in(job, options, std::move(config), {options.output, options.existing, job.command_line});
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
  parser
      .add_option("config", options->config,
                  "what to train, on what and how; with --resume --output RUN that of the run")
      ->option_text("CONFIG.toml");
  CLI::Option* const output =
      parser
          .add_option(
              "--output", options->output,
              "folder for the results, made by the run; default: runs/NAME of NAME.toml, or runs/NAME-2, .., "
              "with --resume the newest of these")
          ->option_text("RUN");
  CLI::Option* const replace = parser
                                   .add_flag_callback(
                                       "--replace", [options] { options->existing = run::Existing::replace; },
                                       "overwrite the run in that folder")
                                   ->needs(output);
  parser
      .add_flag_callback(
          "--resume", [options] { options->existing = run::Existing::resume; },
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
  parser.final_callback([options, output] {
    if (output->count() > 0 && options->output.empty()) throw CLI::ValidationError("--output is empty");
    if (!options->config.empty()) return;
    if (!options->resumes()) throw CLI::RequiredError("CONFIG.toml");
    if (options->output.empty())
      throw CLI::ValidationError("--resume without CONFIG.toml needs --output RUN");
  });
  parser.footer(parts_help());
  return [options](const Job& job) { return train(job, *options); };
}

}  // namespace dmoe::commands
