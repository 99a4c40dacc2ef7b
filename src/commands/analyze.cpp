#include "commands/analyze.hpp"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>

#include <fmt/format.h>

#include "analysis/analysis.hpp"
#include "comm/together.hpp"
#include "commands/trained_model_options.hpp"
#include "console/wording.hpp"
#include "core/error.hpp"
#include "core/exit_status.hpp"
#include "core/paths.hpp"
#include "io/analysis_file.hpp"
#include "run/folder.hpp"
#include "run/folder_lock.hpp"
#include "run/guarded_file.hpp"

namespace dmoe::commands {

namespace {

struct AnalyzeOptions {
  TrainedModelOptions model;
  analysis::Options analysis;
};

void print(const analysis::Analysis& result, Index most_combinations) {
  fmt::print(
      "over {}; I(expert; factor) / log N from the gates, in brackets from the largest gate,\n"
      "p from {}\n",
      console::counted(result.examples, result.split + " example"),
      console::counted(result.permutations.count, "permutation"));
  for (std::size_t l = 0; l < result.layers.size(); ++l) {
    const analysis::LayerSpecialisation& layer = result.layers[l];
    if (layer.is_empty()) continue;
    std::string text = fmt::format("layer {}:", l + 1);
    for (const analysis::FactorMap& map : layer.factors) {
      text += fmt::format("  {} {:.3f} ({:.3f}) p {:.2g}", map.factor, map.soft.observed.normalized,
                          map.hard.observed.normalized, map.soft.p_value());
    }
    text += "  mean gate";
    for (const double mean : layer.mean_gate) text += fmt::format(" {:.2f}", mean);
    for (std::size_t e = 0; e < layer.mean_gate.size(); ++e) {
      if (layer.is_dead(e)) text += fmt::format("  expert {} is dead", e);
    }
    fmt::print("{}\n", console::printable(text));
  }
  const auto is_gated = [](const analysis::LayerSpecialisation& layer) { return !layer.is_empty(); };
  for (std::size_t l = 0; l < result.pairs.size(); ++l) {
    const auto next = std::find_if(result.layers.begin() + static_cast<std::ptrdiff_t>(l) + 1,
                                   result.layers.end(), is_gated);
    if (result.pairs[l] || !is_gated(result.layers[l]) || next == result.layers.end()) continue;
    fmt::print("layers {} and {}: left out their more than {} combinations (--most-combinations)\n", l + 1,
               next - result.layers.begin() + 1, console::grouped(most_combinations));
  }
}

void analyze(const Job& job, const AnalyzeOptions& options, const std::string& folder) {
  const comm::Communicator& world = job.world();
  const std::string run = run::run_file(folder);
  std::optional<run::FolderLock> lock;  // a run that goes on would write over it
  comm::together(world, [&] {
    if (!world.is_coordinator()) return;
    if (!path_exists(run)) {
      throw InputError("{}: holds no run.h5, where the analysis is kept", folder);
    }
    run::check_in_child(run);
    try {
      lock.emplace(folder);
    } catch (const InputError& error) {
      throw InputError("{}: {}", folder, error.what());
    }
  });
  const run::TrainedModel model =
      run::load_trained_model(world, folder, options.model.split, options.model.overrides);
  if (world.is_coordinator()) print_remarks(model);
  std::optional<analysis::Analysis> result =
      analysis::analyze(*model.network, *model.dataset, model.pass, options.analysis, [] { return false; });
  result->data_differences = model.data_differences;
  comm::together(world, [&] {
    if (world.is_coordinator()) io::write_analysis(run, *result, model.config_text);
  });
  if (world.is_coordinator()) {
    print(*result, options.analysis.most_combinations);
    fmt::print("written to {}, {}\n", run, io::analysis_group(result->split));
  }
}

}  // namespace

Action declare_analyze(CLI::App& parser) {
  const auto options = std::make_shared<AnalyzeOptions>();
  add_trained_model_options(parser, options->model, "folders of runs that have ended");
  analysis::Options& measured = options->analysis;
  parser
      .add_option("--permutations", measured.permutations.count,
                  "shuffles of each factor behind the p-values (default: 200)")
      ->check(CLI::Range(1, 1'000'000))
      ->option_text("COUNT");
  parser.add_option("--permutation-seed", measured.permutations.seed, "seed of the shuffles (default: 0)")
      ->option_text("SEED");
  parser
      .add_option("--top", measured.top,
                  "examples to keep of each combination of experts, with their inputs (default: 10)")
      ->check(CLI::Range(1, 10'000))
      ->option_text("COUNT");
  parser
      .add_option("--most-combinations", measured.most_combinations,
                  "a pair of layers with more combinations of experts is left out (default: 4096)")
      ->check(CLI::Range(1, 100'000'000))
      ->option_text("COUNT");
  return [options](const Job& job) {
    with_each_run(job, options->model,
                  [&](const std::string& run, toml::array&) { analyze(job, *options, run); });
    return ExitStatus::done;
  };
}

}  // namespace dmoe::commands
