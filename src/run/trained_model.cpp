#include "run/trained_model.hpp"

#include <optional>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "comm/together.hpp"
#include "console/wording.hpp"
#include "core/error.hpp"
#include "io/model_file.hpp"
#include "run/layout.hpp"
#include "run/parts.hpp"

namespace dmoe::run {

namespace {

training::Pass pass_over(const data::Dataset& dataset, data::Split split, Index batch_size) {
  if (dataset.example_count(split) == 0) {
    throw InputError(
        "--split {0}: the data set has no {0} examples (data.validation holds some out of the training set)",
        data::split_name(split));
  }
  return {split, {Purpose::evaluation_transform, 0}, batch_size};
}

/// Those that the model was last trained with.
training::Routings routings_of(const SavedModel& saved, Index phase, const distribution::Network& network) {
  const auto& phases = saved.config.training.phases;
  const bool is_known = phase >= 0 && phase < static_cast<Index>(phases.size());
  return {(is_known ? phases[size(phase)] : phases.back()).routings, network.spec().layer_count()};
}

}  // namespace

TrainedModel load_trained_model(const comm::Communicator& world, const std::string& run, data::Split split,
                                const std::vector<std::string>& overrides) {
  SavedModel saved = find_model(world, run, overrides);
  io::Trained trained;
  comm::together(world, [&] { trained = io::read_trained(saved.path); });
  LoadedData data = load_data(world, saved.config, trained.data, {split});
  training::Pass pass;
  comm::together(
      world, [&] { pass = pass_over(*data.dataset, split, saved.config.training.evaluation.batch_size); });
  const exchange::Grid grid = make_grid_of_passes(world, network_of(saved.config, *data.dataset),
                                                  pass.batch_size, saved.config.training.slices_of_gates());
  auto network = make_network(grid, saved.config, *data.dataset, pass.batch_size);
  const std::vector<std::string> others = data::differences(trained.data.contents, data.contents);
  comm::together(world, [&] {
    try {
      io::load_model(saved.path, *network);
    } catch (const InputError& error) {
      if (others.empty()) throw;
      throw InputError("these are not the data of {}: {} ({})", saved.path, fmt::join(others, "; "),
                       error.what());
    }
  });
  std::optional<training::Routings> routings;
  comm::together(world, [&] {
    routings = routings_of(saved, trained.phase, *network);
    routings->put_in_force(*network);
  });
  saved.remarks.insert(saved.remarks.end(), data.remarks.begin(), data.remarks.end());
  return {std::move(saved.path),
          std::move(saved.config.text),
          std::move(saved.config.unknown),
          trained,
          saved.config.comm,
          std::move(data.dataset),
          others,
          std::move(saved.remarks),
          pass,
          std::move(*routings),
          std::move(network)};
}

}  // namespace dmoe::run
