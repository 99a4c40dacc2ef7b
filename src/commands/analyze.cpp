#include "commands/analyze.hpp"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

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

/// A line for each pair of layers whose combinations were too many.
std::vector<std::string> left_out(const analysis::Analysis& result, Index most_combinations) {
  const auto is_gated = [](const analysis::LayerSpecialisation& layer) { return !layer.is_empty(); };
  std::vector<std::string> lines;
  for (std::size_t l = 0; l < result.pairs.size(); ++l) {
    const auto next = std::find_if(result.layers.begin() + static_cast<std::ptrdiff_t>(l) + 1,
                                   result.layers.end(), is_gated);
    if (result.pairs[l] || !is_gated(result.layers[l]) || next == result.layers.end()) continue;
    lines.push_back(
        fmt::format("layers {} and {}: left out their more than {} combinations (--most-combinations)", l + 1,
                    next - result.layers.begin() + 1, console::grouped(most_combinations)));
  }
  return lines;
}

/// " 0.24 0.26": the mean gate of each expert; of many the range, and how many are dead.
std::string use_text(const analysis::LayerSpecialisation& layer) {
  constexpr std::size_t most_listed = 16;
  const std::vector<double>& means = layer.mean_gate;
  std::string text = "  mean gate";
  if (means.size() > most_listed) {
    const auto [low, high] = std::ranges::minmax_element(means);
    Index dead = 0;
    for (std::size_t e = 0; e < means.size(); ++e) dead += layer.is_dead(e) ? 1 : 0;
    return text + fmt::format(" {:.2g} to {:.2g}, {} of {} experts are dead", *low, *high,
                              console::grouped(dead), console::grouped(static_cast<Index>(means.size())));
  }
  for (const double mean : means) text += fmt::format(" {:.2f}", mean);
  for (std::size_t e = 0; e < means.size(); ++e)
    if (layer.is_dead(e)) text += fmt::format("  expert {} is dead", e);
  return text;
}

void print(const analysis::Analysis& result) {
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
    fmt::print("{}\n", console::printable(text + use_text(layer)));
  }
}

toml::table json_of(const analysis::TestedInformation& tested) {
  return toml::table{{"normalized", tested.observed.normalized}, {"p_value", tested.p_value()}};
}

/// Of a layer with a gate; its number counts from 1, experts from 0.
toml::table json_of(const analysis::LayerSpecialisation& layer, std::size_t number) {
  toml::array mean_gate;
  toml::array dead;
  for (std::size_t e = 0; e < layer.mean_gate.size(); ++e) {
    mean_gate.push_back(layer.mean_gate[e]);
    if (layer.is_dead(e)) dead.push_back(static_cast<std::int64_t>(e));
  }
  toml::table information;
  for (const analysis::FactorMap& map : layer.factors)
    information.insert(map.factor, toml::table{{"soft", json_of(map.soft)}, {"hard", json_of(map.hard)}});
  return toml::table{{"layer", static_cast<std::int64_t>(number)},
                     {"mean_gate", std::move(mean_gate)},
                     {"dead", std::move(dead)},
                     {"mutual_information", std::move(information)}};
}

toml::table json_of(const run::TrainedModel& model, const analysis::Analysis& result) {
  toml::table told = told_of(model);
  toml::array layers;
  for (std::size_t l = 0; l < result.layers.size(); ++l)
    if (!result.layers[l].is_empty()) layers.push_back(json_of(result.layers[l], l + 1));
  told.insert("layers", std::move(layers));
  told.insert("permutations", result.permutations.count);
  return told;
}

/// One run. Collective.
void analyze(const Job& job, const AnalyzeOptions& options, const std::string& folder, toml::array& results) {
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
  run::TrainedModel model =
      run::load_trained_model(world, folder, options.model.split, options.model.overrides);
  if (world.is_coordinator() && !options.model.prints_json) print_remarks(model);
  std::optional<analysis::Analysis> result =
      analysis::analyze(*model.network, *model.dataset, model.pass, options.analysis, [] { return false; });
  result->data_differences = model.data_differences;
  comm::together(world, [&] {
    if (world.is_coordinator()) io::write_analysis(run, *result, model.config_text);
  });
  if (!world.is_coordinator()) return;
  const std::string group = io::analysis_group(result->split);
  const std::vector<std::string> missing = left_out(*result, options.analysis.most_combinations);
  if (options.model.prints_json) {
    model.remarks.insert(model.remarks.end(), missing.begin(), missing.end());
    toml::table told = json_of(model, *result);
    told.insert("written_to", toml::table{{"file", run}, {"group", group}});
    results.push_back(std::move(told));
    return;
  }
  print(*result);
  for (const std::string& line : missing) fmt::print("{}\n", line);
  fmt::print("written to {}, {}\n", run, group);
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
    with_each_run(job, options->model, [&](const std::string& run, toml::array& results) {
      analyze(job, *options, run, results);
    });
    return ExitStatus::done;
  };
}

}  // namespace dmoe::commands
