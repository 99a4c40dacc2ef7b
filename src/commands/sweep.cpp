#include "commands/sweep.hpp"

#include <memory>
#include <string>

#include <CLI/CLI.hpp>

#include "comm/together.hpp"
#include "core/error.hpp"
#include "core/exit_status.hpp"
#include "sweep/runner.hpp"

namespace dmoe::commands {

namespace {

struct SweepOptions {
  std::string plan;
  sweep::Options run;
  bool is_dry = false;
};

ExitStatus run_sweep(const Job& job, const SweepOptions& options) {
  ExitStatus status = ExitStatus::done;
  comm::together(job.world(), [&] {
    if (!job.world().is_local())
      throw InputError("dmoe sweep starts mpirun itself, for each run; start it without a launcher");
    const sweep::SweepPlan plan = sweep::read_sweep(options.plan);
    if (options.is_dry) {
      sweep::print_plan(options.run, plan);
    } else {
      status = sweep::run_plan(options.run, plan);
    }
  });
  return status;
}

}  // namespace

Action declare_sweep(CLI::App& parser) {
  const auto options = std::make_shared<SweepOptions>();
  parser.add_option("sweep", options->plan, "what to run: grids of configs and settings")
      ->required()
      ->option_text("SWEEP.toml");
  parser
      .add_option("--output", options->run.output,
                  "folder for the runs and the table; a second call goes on in it")
      ->required()
      ->option_text("DIR");
  parser.add_option("--cores", options->run.cores, "to keep busy with runs side by side (default: all)")
      ->check(CLI::Range(1, 65'536))
      ->option_text("COUNT");
  parser
      .add_option(
          "--patience", options->run.patience,
          "when stopped, how long a run may take to write its checkpoint before it is ended (default: 600)")
      ->check(CLI::Range(1, 86'400))
      ->option_text("SECONDS");
  parser.add_flag("--dry-run", options->is_dry, "list the runs and how far each is, and start none");
  parser.footer(
      "A sweep file:\n"
      "  [[grids]]                                  one run for each combination of what is listed\n"
      "  config = [\"small.toml\", \"large.toml\"]      beside the sweep file\n"
      "  network.baseline = [\"none\", \"single\"]      any key that dmoe train --set knows\n"
      "  train.seed = [0, 1, 2]\n"
      "More [[grids]] may follow. Above them may stand:\n"
      "  ranks = 2                                  of each run; default 1\n"
      "  analyze = { top = 16 }                     dmoe analyze --top 16 looks at each finished run; or "
      "true\n"
      "                                             (default), false; what is analysed already stays\n"
      "  launcher = \"srun -n {ranks}\"               of runs on more than one rank; default mpirun or "
      "mpiexec;\n"
      "                                             it must pass SIGUSR1 on, by which such runs are stopped\n"
      "A second call goes on: with the runs that are missing, and from their checkpoints with those that "
      "were\n"
      "stopped or failed.\n"
      "\nExit status: 0 all done; 1 a run failed, or stopped on request; 2 bad usage, sweep or config.");
  return [options](const Job& job) { return run_sweep(job, *options); };
}

}  // namespace dmoe::commands
