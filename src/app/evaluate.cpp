#include "app/evaluate.hpp"

#include <cmath>
#include <memory>
#include <optional>

#include <fmt/format.h>

#include "app/trained_model.hpp"
#include "app/wording.hpp"
#include "training/evaluation.hpp"

namespace dmoe::app {

namespace {

Status evaluate(const Job& job, const TrainedModelOptions& options) {
  const comm::Communicator& world = job.world();
  const TrainedModel model = load_trained_model(world, options);
  const std::optional<training::Score> score =
      training::evaluate(*model.network, *model.dataset, model.pass, [] { return false; });
  if (world.is_coordinator()) {
    const Index examples = model.dataset->example_count(options.split);
    fmt::print("{}: {} error {:.2f} % ({} of {}), loss {:.6f} nats\n", model.path,
               data::split_name(options.split), 100 * score->error,
               grouped(std::llround(score->error * static_cast<double>(examples))), grouped(examples),
               score->loss);
  }
  return Status::done;
}

}  // namespace

Action declare_evaluate(CLI::App& parser) {
  const auto options = std::make_shared<TrainedModelOptions>();
  add_trained_model_options(parser, *options, "folder of a run, or a model file");
  return [options](const Job& job) { return evaluate(job, *options); };
}

}  // namespace dmoe::app
