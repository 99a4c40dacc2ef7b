#include "commands/trained_model_options.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "comm/together.hpp"
#include "commands/each.hpp"
#include "commands/named_option.hpp"
#include "config/json.hpp"
#include "console/wording.hpp"
#include "run/folder.hpp"

namespace dmoe::commands {

void add_trained_model_options(CLI::App& parser, TrainedModelOptions& options, const std::string& run_help) {
  parser.add_option("run", options.runs, run_help)->required()->option_text("RUN...");
  Names<data::Split> splits;
  for (const data::Split split : {data::Split::test, data::Split::train, data::Split::validation})
    splits.emplace_back(data::split_name(split), split);
  add_named_option(parser, "--split", options.split, splits, "which examples (default: test)");
  parser.add_option("--set", options.overrides, "override a key of the run's config: data.path=/data/mnist")
      ->allow_extra_args(false)
      ->option_text("KEY=VALUE");
  parser.add_flag(
      "--json", options.prints_json,
      "an array with an object for each, its numbers with all their digits, for scripts; of one that "
      "cannot be read, why");
}

void with_each_run(const Job& job, const TrainedModelOptions& options,
                   const std::function<void(const std::string& run, toml::array& results)>& with_each) {
  toml::array results;
  const std::vector<Wrong> wrong = wrong_runs(job.world(), options.runs, [&](const std::string& named) {
    std::string run;
    comm::together(job.world(), [&] { run = run::folder_of(named); });
    with_each(run, results);
  });
  for (const Wrong& one : wrong) results.push_back(toml::table{{"model", one.file}, {"why", one.why}});
  if (options.prints_json && job.world().is_coordinator()) fmt::print("{}", config::to_json(results));
  comm::together(job.world(), [&] { refuse(wrong); });
}

toml::table told_of(const run::TrainedModel& model) {
  const auto array_of = [](const std::vector<std::string>& lines) {
    toml::array array;
    for (const std::string& line : lines) array.push_back(line);
    return array;
  };
  return toml::table{{"model", model.path},
                     {"step", model.trained.step},
                     {"split", data::split_name(model.pass.split)},
                     {"examples", model.dataset->example_count(model.pass.split)},
                     {"remarks", array_of(model.remarks)},
                     {"unknown", array_of(model.unknown)},
                     {"data_differences", array_of(model.data_differences)}};
}

void print_remarks(const run::TrainedModel& model) {
  for (const std::string& remark : model.remarks) fmt::print("{}\n", console::one_line(remark));
  if (!model.unknown.empty())
    fmt::print("not known to this dmoe and left alone: {}\n",
               console::one_line(fmt::format("{}", fmt::join(model.unknown, "; "))));
  if (!model.data_differences.empty())
    fmt::print("these are not the data of the run: {}\n", fmt::join(model.data_differences, "; "));
}

}  // namespace dmoe::commands
