#include "app/analyze.hpp"

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include <fmt/format.h>

#include "analysis/specialisation.hpp"
#include "app/agreement.hpp"
#include "app/output_folder.hpp"
#include "app/trained_model.hpp"
#include "app/wording.hpp"
#include "core/error.hpp"
#include "io/analysis_file.hpp"

namespace dmoe::app {

namespace {

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

Status analyze(const Job& job, const TrainedModelOptions& options) {
  const comm::Communicator& world = job.world();
  agreed(world, [&] {
    if (world.is_coordinator() && !std::filesystem::exists(run_file(options.run))) {
      throw InputError("{}: holds no run.h5, where the analysis is kept", options.run);
    }
  });
  const TrainedModel model = load_trained_model(world, options);
  const std::optional<analysis::Specialisation> result =
      analysis::measure(*model.network, *model.dataset, model.pass, [] { return false; });
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
  const auto options = std::make_shared<TrainedModelOptions>();
  add_trained_model_options(parser, *options, "folder of a run that has ended");
  return [options](const Job& job) { return analyze(job, *options); };
}

}  // namespace dmoe::app
