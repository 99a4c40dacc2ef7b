#include "run/parts.hpp"

#include <filesystem>
#include <new>
#include <system_error>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "comm/archive.hpp"
#include "comm/together.hpp"
#include "console/wording.hpp"
#include "core/error.hpp"
#include "core/paths.hpp"
#include "core/text_file.hpp"
#include "data/registry.hpp"
#include "data/renumbered.hpp"
#include "io/checkpoint_file.hpp"
#include "io/format.hpp"
#include "numerics/architecture.hpp"
#include "numerics/linear.hpp"
#include "run/folder.hpp"
#include "run/guarded_file.hpp"

namespace dmoe::run {

namespace {

/// The coordinator reads, all ranks parse.
config::Config shared_config(const comm::Communicator& world, const std::string& name,
                             const std::vector<std::string>& overrides, config::Unknown unknown,
                             const std::function<std::string()>& read) {
  std::string text;
  comm::together(world, [&] {
    if (world.is_coordinator()) text = read();
  });
  comm::broadcast_object(world, text);
  config::Config config;
  comm::together(world, [&] { config = config::parse_config(text, name, overrides, unknown); });
  return config;
}

/// model.h5 of a finished run, else the newest checkpoint that is whole, with a remark on each that is not.
std::string newest_model(const std::string& run, std::vector<std::string>& remarks) {
  if (path_exists(model_file(run))) return model_file(run);
  const std::vector<std::string> checkpoints = io::find_checkpoints(checkpoint_folder(run));
  for (const std::string& path : checkpoints) {
    try {
      check_in_child(path);
      return path;
    } catch (const InputError& error) {
      if (path == checkpoints.back())
        throw InputError("{}: holds no model.h5, and none of its {} can be read: {}", run,
                         console::counted(static_cast<Index>(checkpoints.size()), "checkpoint"),
                         error.what());
      remarks.push_back(fmt::format("warning: {}; trying the checkpoint before it", error.what()));
    }
  }
  throw InputError("{}: holds neither model.h5 nor a checkpoint; training has not come that far", run);
}

/// Throws InputError where this CPU has no such products.
[[nodiscard]] numerics::Arithmetic arithmetic_of(const config::NumericsSpec& spec) {
  const numerics::Precision precision = numerics::precision_named(spec.precision);
  try {
    numerics::require_products_of(precision);
  } catch (const InputError& error) {
    throw InputError("{}: numerics.precision is {}, but {}", spec.precision_place, spec.precision,
                     error.what());
  }
  return {spec.threads, precision};
}

/// Those that settings of a data set name.
void check_files(const Settings& settings) {
  for (const auto& [name, value] : settings.values()) {
    if (const auto* text = std::get_if<std::string>(&value)) check_in_child_if_hdf5(*text);
  }
}

/// Where the data's relative path leads nowhere from here, but does from the folder that the run was started
/// in, it is taken from there.
void look_in(const std::string& folder, Settings& settings, LoadedData& result) {
  constexpr const char* key = "path";
  if (folder.empty() || folder == result.folder || !settings.has(key)) return;
  const std::filesystem::path path = settings.text(key);
  if (path.is_absolute() || path_exists(path)) return;
  const std::filesystem::path there = folder / path;
  if (!path_exists(there)) return;
  settings.set(key, there.string());
  result.folder = folder;
  result.remarks.push_back(
      fmt::format("data.path: there is no {} here; reading {}, where the run was started", path.string(),
                  there.string()));
}

std::string to_text(const data::Contents& contents) {
  std::string text =
      fmt::format("examples of {} with {} classes", fmt::join(contents.example_shape, "x"), contents.classes);
  for (const data::LevelNames& names : contents.names)
    text += fmt::format(", {} of {}", names.factor, fmt::join(names.levels, "/"));
  for (const data::Split split : {data::Split::train, data::Split::validation, data::Split::test}) {
    if (const auto& part = contents.of(split))
      text += fmt::format(", {} {} examples (inputs {}, labels {})", part->examples, data::split_name(split),
                          part->inputs, part->labels);
  }
  return text;
}

/// Every rank reads for itself, maybe from a disk of its own.
void check_that_all_read_the_same(const comm::Communicator& world, const data::Contents& contents) {
  const std::vector<std::string> read = world.gather(to_text(contents));
  comm::together(world, [&] {
    for (std::size_t rank = 1; rank < read.size(); ++rank)
      if (read[rank] != read.front())
        throw InputError("data.path: rank {} reads other data than the first: {}, not {}", rank, read[rank],
                         read.front());
  });
}

}  // namespace

config::Config load_config(const comm::Communicator& world, const std::string& path,
                           const std::vector<std::string>& overrides) {
  return shared_config(world, path, overrides, config::Unknown::refused, [&] {
    if (is_folder(path))
      throw InputError("{0}: is a folder, not a config; dmoe train --resume --output {0} goes on with a run",
                       path);
    return read_text_file(path, "the config");
  });
}

config::Config config_of_run(const comm::Communicator& world, const std::string& run,
                             const std::vector<std::string>& overrides) {
  return shared_config(world, run + ", /config", overrides, config::Unknown::refused, [&] {
    if (!path_exists(run))
      throw InputError("--output {}: is not there; a run that begins needs a config", run);
    check_is_folder(run);
    return io::read_config(file_with_config(run));
  });
}

SavedModel find_model(const comm::Communicator& world, const std::string& run,
                      const std::vector<std::string>& overrides) {
  std::string path = run;
  std::vector<std::string> remarks;
  const auto read = [&] {
    if (!path_exists(run)) throw InputError("{}: there is no such run folder or model file", run);
    if (is_folder(run)) path = newest_model(run, remarks);
    check_in_child(path);
    return io::read_config(path);
  };
  config::Config config =
      shared_config(world, run + ", /config", overrides, config::Unknown::kept_of_training, read);
  comm::broadcast_object(world, path);
  comm::broadcast_object(world, remarks);
  return {path, std::move(config), std::move(remarks)};
}

LoadedData load_data(const comm::Communicator& world, const config::Config& config,
                     const io::DataRecord& known, const std::vector<data::Split>& splits) {
  LoadedData result;
  Settings settings = config.data.settings;
  comm::together(world, [&] {
    numerics::use_instruction_set(config.numerics.isa);
    static_cast<void>(
        arithmetic_of(config.numerics));  // refused before the data are read, which may take long
    const TimedActivity loading(world.timing(), Activity::data);
    std::error_code gone;
    result.folder = std::filesystem::current_path(gone).string();
    look_in(known.folder, settings, result);
    if (world.is_coordinator()) check_files(settings);
  });
  comm::together(world, [&] {
    const TimedActivity loading(world.timing(), Activity::data);
    try {
      result.dataset = data::datasets().find(config.data.name).make(settings, config.training.seed);
    } catch (const SettingError& error) {
      throw InputError("{}: data.{}", config.data_places.at(error.setting()), error.what());
    }
    for (std::string& remark : result.dataset->remarks()) result.remarks.push_back(std::move(remark));
    result.dataset = data::renumbered(std::move(result.dataset), known.contents.names, result.remarks);
    result.contents = data::contents_of(*result.dataset, splits);
  });
  check_that_all_read_the_same(world, result.contents);
  comm::broadcast_object(world, result.folder);
  return result;
}

model::NetworkSpec network_of(const config::Config& config, const data::Dataset& dataset) {
  return model::baseline_of({dataset.input_width(), dataset.class_count(), config.layers}, config.baseline);
}

std::unique_ptr<distribution::Network> make_network(const exchange::Grid& grid, const config::Config& config,
                                                    const data::Dataset& dataset, Index capacity) {
  std::unique_ptr<distribution::Network> network;
  comm::together(grid.world(), [&] {
    const model::NetworkSpec spec = network_of(config, dataset);
    try {
      network = std::make_unique<distribution::Network>(spec, grid, config.training.seed, capacity,
                                                        arithmetic_of(config.numerics));
    } catch (const std::bad_alloc&) {
      throw InputError("a network of {} parameters with batches of {} does not fit into memory on {} ranks",
                       spec.parameter_count(), capacity, grid.group().size());
    }
  });
  return network;
}

}  // namespace dmoe::run
