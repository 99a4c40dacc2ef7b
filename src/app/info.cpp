#include "app/info.hpp"

#include <memory>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "config/config.hpp"
#include "config/part_kind.hpp"
#include "core/error.hpp"
#include "core/paths.hpp"
#include "hdf5/file.hpp"
#include "hdf5/format.hpp"
#include "io/checkpoint_file.hpp"
#include "io/describe.hpp"
#include "io/format.hpp"
#include "run/folder.hpp"
#include "run/guarded_file.hpp"
#include "run/wording.hpp"

namespace dmoe::app {

namespace {

std::string phases_text(const training::TrainingSpec& spec) {
  std::string text;
  for (const training::PhaseSpec& phase : spec.phases) {
    text += fmt::format("  {:<16}{:<12}rule {:<10}rate {}", phase.name, run::counted(phase.epochs, "epoch"),
                        phase.rule.name, phase.schedule.name);
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
                  run::network_text(config.layers), config.data.name, config.training.batch_size);
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
                     run::grouped(spec.multiply_accumulates())) +
         unknown_text(path, config);
}

std::string describe(const std::string& path) {
  if (!path_exists(path)) throw InputError("{}: there is no such file or folder", path);
  if (!is_folder(path)) {
    run::check_in_child(path);
    const std::string text = io::describe(path);
    const bool is_run =
        io::check_format(hdf5::File::open_read(path),
                         {io::run_format, io::model_format, io::checkpoint_format}) == io::run_format;
    return text + (is_run ? config_text(path) : cost_text(path));
  }
  std::vector<std::string> files{run::run_file(path), run::model_file(path)};
  const std::vector<std::string> checkpoints = io::find_checkpoints(run::checkpoint_folder(path));
  if (!path_exists(run::model_file(path)) && !checkpoints.empty()) files.push_back(checkpoints.front());
  std::string text;
  for (const std::string& file : files) {
    if (path_exists(file)) text += (text.empty() ? "" : "\n") + describe(file);
  }
  if (text.empty()) throw InputError("{}: holds neither run.h5 nor model.h5", path);
  return text;
}

}  // namespace

Action declare_info(CLI::App& parser) {
  const auto path = std::make_shared<std::string>();
  parser.add_option("file", *path, "folder of a run, run file, model file or checkpoint")
      ->required()
      ->option_text("RUN|FILE");
  return [path](const Job& job) {
    run::agreed(job.world(), [&] {
      if (job.world().is_coordinator()) fmt::print("{}", run::printable(describe(*path)));
    });
    return run::Status::done;
  };
}

}  // namespace dmoe::app
