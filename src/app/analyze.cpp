#include "app/analyze.hpp"

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "analysis/specialisation.hpp"
#include "app/output_folder.hpp"
#include "app/run_parts.hpp"
#include "app/splits.hpp"
#include "app/wording.hpp"
#include "core/error.hpp"
#include "io/analysis_file.hpp"
#include "io/model_file.hpp"

namespace dmoe::app {

namespace {

struct AnalyzeOptions {
  std::string run;
  data::Split split = data::Split::test;
  std::vector<std::string> overrides;
};

void print(const analysis::Specialisation& result) {
  fmt::print(
      "over {} {} examples; I(expert; factor) / log N from the gates, in brackets from the largest gate\n",
      grouped(result.examples), result.split);
  for (std::size_t l = 0; l < result.layers.size(); ++l) {
    std::string text = fmt::format("layer {}:", l + 1);
    for (const analysis::FactorMap& map : result.layers[l].factors) {
      text += fmt::format("  {} {:.3f} ({:.3f})", map.factor, map.soft.normalized, map.hard.normalized);
    }
    text += "  mean gate";
    for (const double mean : result.layers[l].mean_gate) text += fmt::format(" {:.2f}", mean);
    fmt::print("{}\n", text);
  }
}

Status analyze(const Job& job, const AnalyzeOptions& options) {
  const comm::Communicator& world = job.world();
  agreed(world, [&] {
    if (world.is_coordinator() && !std::filesystem::exists(run_file(options.run))) {
      throw InputError("{}: holds no run.h5, where the analysis is kept", options.run);
    }
  });
  const SavedModel model = find_model(world, options.run, options.overrides);
  const std::unique_ptr<data::Dataset> dataset = load_data(world, model.config);
  training::Pass pass;
  agreed(world,
         [&] { pass = pass_over(*dataset, options.split, model.config.training.evaluation.batch_size); });
  const auto network = make_network(world, model.config, *dataset, pass.batch_size);
  agreed(world, [&] { io::load_model(model.path, *network); });
  const std::optional<analysis::Specialisation> result =
      analysis::measure(*network, *dataset, pass, [] { return false; });
  agreed(world, [&] {
    if (world.is_coordinator()) io::write_analysis(run_file(options.run), *result);
  });
  if (world.is_coordinator()) {
    print(*result);
    fmt::print("written to {}, /analysis\n", run_file(options.run));
  }
  return Status::done;
}

}  // namespace

Action declare_analyze(CLI::App& parser) {
  const auto options = std::make_shared<AnalyzeOptions>();
  parser.add_option("run", options->run, "folder of a run that has ended")->required()->option_text("RUN");
  add_split_option(parser, options->split);
  parser.add_option("--set", options->overrides, "override a key of the run's config: data.path=/data/mnist")
      ->allow_extra_args(false)
      ->option_text("KEY=VALUE");
  return [options](const Job& job) { return analyze(job, *options); };
}

}  // namespace dmoe::app
