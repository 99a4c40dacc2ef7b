#include "app/evaluate.hpp"

#include <cmath>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "app/run_parts.hpp"
#include "app/splits.hpp"
#include "app/wording.hpp"
#include "io/model_file.hpp"
#include "training/evaluation.hpp"

namespace dmoe::app {

namespace {

struct EvaluateOptions {
  std::string run;
  data::Split split = data::Split::test;
  std::vector<std::string> overrides;
};

Status evaluate(const Job& job, const EvaluateOptions& options) {
  const comm::Communicator& world = job.world();
  const SavedModel model = find_model(world, options.run, options.overrides);
  const std::unique_ptr<data::Dataset> dataset = load_data(world, model.config);
  training::Pass pass;
  agreed(world,
         [&] { pass = pass_over(*dataset, options.split, model.config.training.evaluation.batch_size); });
  const auto network = make_network(world, model.config, *dataset, pass.batch_size);
  agreed(world, [&] { io::load_model(model.path, *network); });
  const std::optional<training::Score> score =
      training::evaluate(*network, *dataset, pass, [] { return false; });
  if (world.is_coordinator()) {
    const Index examples = dataset->example_count(options.split);
    fmt::print("{}: {} error {:.2f} % ({} of {}), loss {:.6f} nats\n", model.path, split_name(options.split),
               100 * score->error, grouped(std::llround(score->error * static_cast<double>(examples))),
               grouped(examples), score->loss);
  }
  return Status::done;
}

}  // namespace

Action declare_evaluate(CLI::App& parser) {
  const auto options = std::make_shared<EvaluateOptions>();
  parser.add_option("run", options->run, "folder of a run, or a model file")->required()->option_text("RUN");
  add_split_option(parser, options->split);
  parser.add_option("--set", options->overrides, "override a key of the run's config: data.path=/data/mnist")
      ->allow_extra_args(false)
      ->option_text("KEY=VALUE");
  return [options](const Job& job) { return evaluate(job, *options); };
}

}  // namespace dmoe::app
