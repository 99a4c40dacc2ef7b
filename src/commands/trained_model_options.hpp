// What commands on trained models share.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "commands/command.hpp"
#include "run/trained_model.hpp"

namespace dmoe::commands {

struct TrainedModelOptions {
  std::vector<std::string> runs;
  data::Split split = data::Split::test;
  std::vector<std::string> overrides;
  bool prints_json = false;
};

/// Declares RUN..., --split, --set and --json. The options must outlive the parser. Local.
void add_trained_model_options(CLI::App& parser, TrainedModelOptions& options, const std::string& run_help);

/// Does `with_each` with every run (a folder, in place of the run.h5 in it, a model file or a checkpoint) on
/// all ranks, and with --json prints the objects that it adds, for one that cannot be read why. Throws
/// InputError on all ranks in the end, which names all of these; any other error at once. Collective.
void with_each_run(const Job& job, const TrainedModelOptions& options,
                   const std::function<void(const std::string& run, toml::array& results)>& with_each);

/// What is told of every model with --json: model, step, split, examples, and what print_remarks() says.
/// Local.
toml::table told_of(const run::TrainedModel& model);

/// Prints what there is to say of its config and data, before the results. Local.
void print_remarks(const run::TrainedModel& model);

}  // namespace dmoe::commands
