// What commands on a trained model share.
#pragma once

#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "run/trained_model.hpp"

namespace dmoe::commands {

struct TrainedModelOptions {
  std::vector<std::string> runs;
  data::Split split = data::Split::test;
  std::vector<std::string> overrides;
};

/// Declares RUN..., --split and --set. The options must outlive the parser. Local.
void add_trained_model_options(CLI::App& parser, TrainedModelOptions& options, const std::string& run_help);

/// Prints what there is to say of its config and data, before the results. Local.
void print_remarks(const run::TrainedModel& model);

}  // namespace dmoe::commands
