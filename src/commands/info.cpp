#include "commands/info.hpp"

#include <memory>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "comm/together.hpp"
#include "commands/each.hpp"
#include "config/config.hpp"
#include "config/json.hpp"
#include "config/part_kind.hpp"
#include "console/wording.hpp"
#include "core/error.hpp"
#include "core/exit_status.hpp"
#include "core/paths.hpp"
#include "hdf5/file.hpp"
#include "hdf5/format.hpp"
#include "io/checkpoint_file.hpp"
#include "io/describe.hpp"
#include "io/format.hpp"
#include "io/model_file.hpp"
#include "io/run_schema.hpp"
#include "io/run_summary.hpp"
#include "run/folder.hpp"
#include "run/guarded_file.hpp"

namespace dmoe::commands {

namespace {

std::string phases_text(const training::TrainingSpec& spec) {
  std::string text;
  for (const training::PhaseSpec& phase : spec.phases) {
    text += fmt::format("  {:<15} {:<11} rule {:<9} rate {}", phase.name,
                        console::counted(phase.epochs, "epoch"), phase.rule.name, phase.schedule.name);
    for (const auto& [name, value] : phase.schedule.settings.values())
      text += fmt::format(", {} {}", name, config::toml_text(value));
    text += "\n";
  }
  return text;
}

config::Config config_of(const std::string& path) {
  return config::parse_config(io::read_config(path), path + ", /config", {}, config::Unknown::kept);
}

/// What a newer dmoe, or a program with parts of its own, has written and this one does not know.
std::string unknown_text(const std::string& path, const config::Config& config) {
  std::string text;
  for (const std::string& line : config.unknown)
    text += fmt::format("{:<13}{}\n", text.empty() ? "not known" : "", line);
  if (const Index minor = hdf5::minor_of(hdf5::File::open_read(path)); minor > hdf5::format_minor)
    text += fmt::format("{:<13}what format {}.{} has added to {}.{}\n", "not known", hdf5::format_version,
                        minor, hdf5::format_version, hdf5::format_minor);
  return text;
}

/// What a run was asked to do.
std::string config_text(const std::string& path) {
  const config::Config config = config_of(path);
  const bool is_baseline = config.baseline != model::Baseline::none;
  std::string text =
      fmt::format("\nconfig       {}{} on {}, batches of {}\n",
                  is_baseline ? "baseline " + model::to_text(config.baseline) + " of " : "",
                  console::network_text(config.layers), config.data.name, config.training.batch_size);
  return text + phases_text(config.training) + unknown_text(path, config);
}

/// What one example costs in this model: the widths below the first layer and above the last are in the file.
std::string cost_text(const std::string& path) {
  const hdf5::File file = hdf5::File::open_read(path);
  const config::Config config = config_of(path);
  const auto width = [&](const std::string& usual, const std::string& of_classifiers) {
    return file.shape(file.exists(usual) ? usual : of_classifiers).back();
  };
  const std::string last = fmt::format("/model/layers/{}/experts/", config.layers.size());
  const model::NetworkSpec spec =
      model::baseline_of({width("/model/layers/1/experts/weight", "/model/layers/1/experts/hidden_weight"),
                          width("/model/head/bias", last + "output_bias"), config.layers},
                         config.baseline);
  return fmt::format("cost         {} multiply-accumulates per example, forward\n",
                     console::grouped(spec.multiply_accumulates())) +
         unknown_text(path, config);
}

/// What there is to tell of at a path: itself, or the files of the run in the folder.
std::vector<std::string> files_to_describe(const std::string& path) {
  if (!path_exists(path)) throw InputError("{}: there is no such file or folder", path);
  if (!is_folder(path)) return {path};
  std::vector<std::string> files;
  for (const std::string& file : {run::run_file(path), run::model_file(path)})
    if (path_exists(file)) files.push_back(file);
  const std::vector<std::string> checkpoints = io::find_checkpoints(run::checkpoint_folder(path));
  if (!path_exists(run::model_file(path)) && !checkpoints.empty()) files.push_back(checkpoints.front());
  if (files.empty()) throw InputError("{}: holds neither run.h5 nor model.h5", path);
  return files;
}

std::string format_of(const std::string& file) {
  return io::check_format(hdf5::File::open_read(file),
                          {io::run_format, io::model_format, io::checkpoint_format});
}

std::string describe(const std::string& file) {
  const std::string text = io::describe(file);
  return text + (format_of(file) == io::run_format ? config_text(file) : cost_text(file));
}

toml::table json_of(const training::Score& score) {
  return toml::table{{"loss", score.loss}, {"error", score.error}};
}

toml::table json_of_run(const io::RunSummary& run) {
  toml::array launches;
  for (const io::LaunchRecord& record : run.launches) {
    toml::table launch{{"command_line", record.launch.command_line},
                       {"ranks", record.launch.ranks},
                       {"threads", record.launch.threads},
                       {"start_time", record.start_time},
                       {"first_step", record.first_step}};
    if (record.wall_seconds) launch.insert("wall_seconds", *record.wall_seconds);
    launches.push_back(std::move(launch));
  }
  toml::array evaluations;
  for (const training::EvaluationRow& row : run.evaluations) {
    toml::table one{{"epoch", row.epoch}, {"test", json_of(row.test)}, {"train", json_of(row.train)}};
    if (row.has_validation) one.insert("validation", json_of(row.validation));
    evaluations.push_back(std::move(one));
  }
  const io::Provenance& made = run.provenance;
  return toml::table{{"status", io::to_text(made.status)},
                     {"version", made.version},
                     {"git_commit", made.git_commit},
                     {"seed", static_cast<std::int64_t>(made.seed)},
                     {"start_time", made.start_time},
                     {"end_time", made.end_time},
                     {"steps", run.rows.empty() ? Index{0} : run.rows.back().step},
                     {"layers", run.network.text},
                     {"parameters", run.network.parameters},
                     {"multiply_accumulates", run.network.multiply_accumulates},
                     {"launches", std::move(launches)},
                     {"evaluations", std::move(evaluations)}};
}

toml::table parsed_config(const std::string& file) {
  const std::string text = io::read_config(file);
  try {
    return toml::parse(text);
  } catch (const toml::parse_error& error) {
    throw InputError("{}, /config: {}", file, error.description());
  }
}

toml::table json_of_file(const std::string& file) {
  const std::string format = format_of(file);
  toml::table result;
  if (format == io::run_format) {
    result = json_of_run(io::read_run(file));
  } else {
    const io::Trained trained = io::read_trained(file);
    result = toml::table{{"step", trained.step}, {"epoch", trained.epoch}, {"phase", trained.phase}};
  }
  result.insert("file", file);
  result.insert("format", format);
  result.insert("config", parsed_config(file));
  return result;
}

/// What can be read is told, whatever is wrong with the rest.
void tell(const std::vector<std::string>& paths, bool in_json) {
  toml::array found;
  std::string text;
  const std::vector<Wrong> wrong = wrong_ones(paths, files_to_describe, [&](const std::string& file) {
    run::check_in_child(file);
    if (in_json) {
      found.push_back(json_of_file(file));
    } else {
      text += (text.empty() ? "" : "\n") + describe(file);
    }
  });
  for (const Wrong& one : wrong) found.push_back(toml::table{{"file", one.file}, {"why", one.why}});
  fmt::print("{}", in_json ? config::to_json(found) : console::printable(text));
  refuse(wrong);
}

}  // namespace

Action declare_info(CLI::App& parser) {
  const auto paths = std::make_shared<std::vector<std::string>>();
  const auto in_json = std::make_shared<bool>(false);
  const auto reference = std::make_shared<bool>(false);
  auto* const files =
      parser.add_option("file", *paths, "folders of runs, run files, model files or checkpoints")
          ->option_text("RUN|FILE...");
  parser.add_flag("--json", *in_json,
                  "an array with an object for each file, for scripts; of one that cannot be read, why");
  parser.add_flag("--run-file", *reference, "what stands where in every run.h5, as Markdown")
      ->excludes(files);
  return [paths, in_json, reference](const Job& job) {
    comm::together(job.world(), [&] {
      if (!job.world().is_coordinator()) return;
      if (*reference) {
        fmt::print("{}", io::run_file_reference());
      } else if (paths->empty()) {
        throw InputError("which file? dmoe info RUN|FILE...; see dmoe info --help");
      } else {
        tell(*paths, *in_json);
      }
    });
    return ExitStatus::done;
  };
}

}  // namespace dmoe::commands
