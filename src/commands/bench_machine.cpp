#include "commands/bench_machine.hpp"

#include <filesystem>
#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "calibration/calibration.hpp"
#include "comm/together.hpp"
#include "console/wording.hpp"
#include "core/error.hpp"
#include "core/paths.hpp"
#include "core/text_file.hpp"
#include "run/launch.hpp"
#include "scale/machine_file.hpp"

namespace dmoe::commands {

namespace {

struct MachineOptions {
  std::string output;  // "": printed only
  Index repetitions = 7;
};

void print_products(const char* what, const scale::ProductTable& table) {
  fmt::print("\n{}, GFLOP/s of m rows\n{:>8} {:>6}", what, "outputs", "inputs");
  for (const Index m : table.rows) fmt::print(" {:>7}", m);
  fmt::print("\n");
  for (const Index n : table.outputs) {
    for (const Index k : table.inputs) {
      fmt::print("{:>8} {:>6}", n, k);
      for (const Index m : table.rows)
        fmt::print(" {:>7.1f}", 2e-9 * static_cast<double>(m * n * k) / table(m, n, k));
      fmt::print("\n");
    }
  }
}

void print_link(const char* what, const scale::Link& link) {
  fmt::print("{:<22} {:.2f} us latency, {:.2f} us of a processor a message, {:.2f} GB/s\n", what,
             1e6 * link.latency, 1e6 * link.overhead, 1e-9 * link.bandwidth);
}

void print(const calibration::Measured& measured, Index ranks) {
  const scale::Machine& machine = measured.machine;
  fmt::print("{}; medians of the processor's time, of messages the shortest\n", machine.name);
  fmt::print("{:<22} {:.2f} GB/s\n", "memory, w -= rate g", 1e-9 * machine.memory_bandwidth);
  fmt::print("{:<22} {:.3g} ns a value\n", "an example made ready", 1e9 * machine.presenting);
  fmt::print("{:<22} {:.3g} ns a logit\n", "softmax", 1e9 * machine.softmax);
  fmt::print("{:<22} {:.3g} ns a logit\n", "choice of the largest", 1e9 * machine.choosing);
  fmt::print("{:<22} {:.3g} ns a choice\n", "plan of a routed batch", 1e9 * machine.planning);
  if (measured.has_inner) print_link("ranks of a node", machine.inner);
  if (measured.has_outer) print_link("nodes", machine.outer);
  if (ranks == 1) fmt::print("{:<22} not measured: mpirun -n 2\n", "messages");
  if (ranks > 1)
    fmt::print("{:<22} {:.2f} us over {}; model {:.2f} us\n", "all-reduce", 1e6 * measured.all_reduce,
               console::counted(ranks, "rank"), 1e6 * measured.all_reduce_model);
  print_products("forward", machine.forward);
  print_products("gradient of x", machine.input_gradient);
  print_products("gradient of W", machine.weight_gradient);
}

void check_output(const std::string& output) {
  const std::filesystem::path parent = std::filesystem::path(output).parent_path();
  if (!parent.empty() && !is_folder(parent))
    throw InputError("--output {}: there is no folder {}", output, parent.string());
  if (is_folder(output)) throw InputError("--output {}: is a folder", output);
}

ExitStatus measure(const Job& job, const MachineOptions& options) {
  const comm::Communicator& world = job.world();
  comm::together(world, [&] {
    if (world.is_coordinator() && !options.output.empty()) check_output(options.output);
  });
  const io::Launch launch = run::launch_of(job.session, job.command_line, 1);
  calibration::Plan plan;
  plan.repetitions = options.repetitions;
  const calibration::Measured measured = calibration::measure(
      world, launch.hosts, fmt::format("{}, {}", launch.cpu, launch.instruction_set), plan);
  comm::together(world, [&] {
    if (!world.is_coordinator()) return;
    print(measured, world.size());
    if (options.output.empty()) return;
    write_text_file(options.output, scale::to_toml(measured.machine));
    fmt::print("\nwritten to {}\n", options.output);
  });
  return ExitStatus::done;
}

}  // namespace

Action declare_bench_machine(CLI::App& parser) {
  const auto options = std::make_shared<MachineOptions>();
  parser
      .add_option("--output", options->output,
                  "write the constants to this file, for dmoe bench scale --machine")
      ->option_text("FILE.toml");
  constexpr Index million = 1'000'000;
  parser.add_option("--repetitions", options->repetitions, "of each measurement (default: 7)")
      ->check(CLI::Range(Index{1}, million))
      ->option_text("COUNT");
  parser.footer(
      "One core computes; of two ranks and more messages are measured too, between nodes where there are\n"
      "several. Without that the file has the messages of dmoe's default machine.");
  return [options](const Job& job) { return measure(job, *options); };
}

}  // namespace dmoe::commands
