#include <memory>

#include <CLI/CLI.hpp>

#include "app/analyze.hpp"
#include "app/bench.hpp"
#include "app/check.hpp"
#include "app/command.hpp"
#include "app/evaluate.hpp"
#include "app/info.hpp"
#include "app/sweep.hpp"
#include "app/train.hpp"

namespace dmoe::app {

namespace {

Action declare_bench(CLI::App& bench) {
  const auto options = std::make_shared<BenchOptions>();
  const CLI::App* step =
      bench.add_subcommand("step", "a training step against its matrix products, and on all ranks")
          ->fallthrough();
  bench.add_subcommand("sum", "the sum in fixed order against MPI's own reduction")->fallthrough();
  bench.require_subcommand(1);
  bench.add_option("--batch-size", options->batch_sizes, "examples of a step")
      ->check(CLI::Range(1, 1'000'000));
  bench.add_option("--repetitions", options->repetitions, "of each measurement")
      ->check(CLI::Range(1, 1'000'000));
  bench.add_option("--steps", options->steps, "of one repetition")->check(CLI::Range(1, 1'000'000));
  return [options, step](const Job& job) {
    step->parsed() ? bench_step(job.world(), *options) : bench_sum(job.world(), *options);
    return Status::done;
  };
}

}  // namespace

const std::vector<Command>& commands() {
  static const std::vector<Command> table{
      {"train", "train a network and keep the run in a new folder", declare_train},
      {"evaluate", "loss and error of a trained network; writes nothing", declare_evaluate},
      {"analyze", "what each expert stands for; adds the answer to the run file", declare_analyze},
      {"sweep", "train a grid of configs and seeds, and gather one table", declare_sweep},
      {"info", "what a run, a model or a checkpoint holds", declare_info},
      {"check", "whether files are whole", declare_check},
      {"bench", "measure the speed of this machine", declare_bench},
  };
  return table;
}

}  // namespace dmoe::app
