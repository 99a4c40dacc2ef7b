#include "app/run_parts.hpp"

#include <filesystem>
#include <new>

#include "app/agreement.hpp"
#include "comm/archive.hpp"
#include "core/error.hpp"
#include "core/paths.hpp"
#include "core/text_file.hpp"
#include "data/registry.hpp"
#include "io/model_file.hpp"
#include "numerics/linear.hpp"

namespace dmoe::app {

namespace {

/// The coordinator reads, all ranks parse.
Config shared_config(const comm::Communicator& world, const std::string& name,
                     const std::vector<std::string>& overrides, const std::function<std::string()>& read) {
  std::string text;
  agreed(world, [&] {
    if (world.is_coordinator()) text = read();
  });
  comm::broadcast_object(world, text);
  Config config;
  agreed(world, [&] { config = parse_config(text, name, overrides); });
  return config;
}

}  // namespace

Config load_config(const comm::Communicator& world, const std::string& path,
                   const std::vector<std::string>& overrides) {
  return shared_config(world, path, overrides, [&] { return read_text_file(path, "the config"); });
}

SavedModel find_model(const comm::Communicator& world, const std::string& run,
                      const std::vector<std::string>& overrides) {
  std::string path = run;
  const auto read = [&] {
    if (!path_exists(run)) throw InputError("{}: there is no such run folder or model file", run);
    if (is_folder(run)) {
      path = (std::filesystem::path(run) / "model.h5").string();
      if (!path_exists(path)) {
        throw InputError("{}: holds no model.h5; it is written when training ends or is stopped", run);
      }
    }
    return io::read_config(path);
  };
  Config config = shared_config(world, run + ", /config", overrides, read);
  comm::broadcast_object(world, path);
  return {path, std::move(config)};
}

std::unique_ptr<data::Dataset> load_data(const comm::Communicator& world, const Config& config) {
  std::unique_ptr<data::Dataset> dataset;
  agreed(world, [&] {
    numerics::use_threads(config.numerics.threads);
    numerics::use_instruction_set(config.numerics.isa);
    const TimedActivity loading(world.timing(), Activity::data);
    try {
      dataset = data::datasets().find(config.data.name).make(config.data.settings, config.training.seed);
    } catch (const SettingError& error) {
      throw InputError("{}: data.{}", config.data_places.at(error.setting()), error.what());
    }
  });
  return dataset;
}

std::unique_ptr<distribution::Network> make_network(const comm::Communicator& world, const Config& config,
                                                    const data::Dataset& dataset, Index capacity) {
  std::unique_ptr<distribution::Network> network;
  agreed(world, [&] {
    const model::NetworkSpec spec =
        model::baseline_of({dataset.input_width(), dataset.class_count(), config.layers}, config.baseline);
    try {
      network = std::make_unique<distribution::Network>(spec, world, config.training.seed, capacity);
    } catch (const std::bad_alloc&) {
      throw InputError("a network of {} parameters with batches of {} does not fit into memory on {} ranks",
                       spec.parameter_count(), capacity, world.size());
    }
  });
  return network;
}

}  // namespace dmoe::app
