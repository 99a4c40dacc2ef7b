#include "app/trained_model.hpp"

#include <utility>

#include "app/agreement.hpp"
#include "app/named_option.hpp"
#include "app/run_parts.hpp"
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

TrainedModel load_trained_model(const comm::Communicator& world, const TrainedModelOptions& options) {
  SavedModel saved = find_model(world, options.run, options.overrides);
  std::unique_ptr<data::Dataset> dataset = load_data(world, saved.config);
  training::Pass pass;
  agreed(world,
         [&] { pass = pass_over(*dataset, options.split, saved.config.training.evaluation.batch_size); });
  auto network = make_network(world, saved.config, *dataset, pass.batch_size);
  io::Trained trained;
  agreed(world, [&] {
    io::load_model(saved.path, *network);
    trained = io::read_trained(saved.path);
  });
  training::Routings routings = routings_of(saved, trained.phase, *network);
  routings.put_in_force(*network);
  return {std::move(saved.path),
          std::move(saved.config.text),
          trained,
          saved.config.comm,
          std::move(dataset),
          pass,
          std::move(routings),
          std::move(network)};
}

}  // namespace dmoe::app
