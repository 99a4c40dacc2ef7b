#include "app/trained_model.hpp"

#include <optional>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "app/agreement.hpp"
#include "app/named_option.hpp"
#include "app/run_parts.hpp"
#include "app/wording.hpp"
#include "core/error.hpp"
#include "io/model_file.hpp"

namespace dmoe::app {

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

void add_trained_model_options(CLI::App& parser, TrainedModelOptions& options, const std::string& run_help) {
  parser.add_option("run", options.run, run_help)->required()->option_text("RUN");
  Names<data::Split> splits;
  for (const data::Split split : {data::Split::test, data::Split::train, data::Split::validation})
    splits.emplace_back(data::split_name(split), split);
  add_named_option(parser, "--split", options.split, splits, "which examples (default: test)");
  parser.add_option("--set", options.overrides, "override a key of the run's config: data.path=/data/mnist")
      ->allow_extra_args(false)
      ->option_text("KEY=VALUE");
}

void print_remarks(const TrainedModel& model) {
  for (const std::string& remark : model.remarks) fmt::print("{}\n", one_line(remark));
  if (!model.unknown.empty())
    fmt::print("not known to this dmoe and left alone: {}\n",
               one_line(fmt::format("{}", fmt::join(model.unknown, "; "))));
  if (!model.data_differences.empty())
    fmt::print("these are not the data of the run: {}\n", fmt::join(model.data_differences, "; "));
}

TrainedModel load_trained_model(const comm::Communicator& world, const TrainedModelOptions& options) {
  SavedModel saved = find_model(world, options.run, options.overrides);
  io::Trained trained;
  agreed(world, [&] { trained = io::read_trained(saved.path); });
  LoadedData data = load_data(world, saved.config, trained.data, {options.split});
  training::Pass pass;
  agreed(world, [&] {
    pass = pass_over(*data.dataset, options.split, saved.config.training.evaluation.batch_size);
  });
  auto network = make_network(world, saved.config, *data.dataset, pass.batch_size);
  const std::vector<std::string> others = data::differences(trained.data.contents, data.contents);
  agreed(world, [&] {
    try {
      io::load_model(saved.path, *network);
    } catch (const InputError& error) {
      if (others.empty()) throw;
      throw InputError("these are not the data of {}: {} ({})", saved.path, fmt::join(others, "; "),
                       error.what());
    }
  });
  std::optional<training::Routings> routings;
  agreed(world, [&] {
    routings = routings_of(saved, trained.phase, *network);
    routings->put_in_force(*network);
  });
  return {std::move(saved.path),
          std::move(saved.config.text),
          std::move(saved.config.unknown),
          trained,
          saved.config.comm,
          std::move(data.dataset),
          others,
          std::move(data.remarks),
          pass,
          std::move(*routings),
          std::move(network)};
}

}  // namespace dmoe::app
