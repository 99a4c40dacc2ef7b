// dmoe_smpi: training steps of the real code on simulated ranks; run by experiments/scaling/simulate under
// smpirun. Prints one JSON object.
#include <algorithm>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "comm/session.hpp"
#include "core/error.hpp"
#include "simulation/charges.hpp"
#include "simulation/training.hpp"

namespace dmoe::simulation {

namespace {

struct Options {
  Index experts = 1024;
  Index hidden = 128;
  Index gate_hidden = 32;
  Index inputs = 256;
  Index layers = 2;
  std::string gating = "coordinator";
  std::string work_times;
  bool tells_each_rank = false;
  Plan plan;
};

void add_options(CLI::App& app, Options& options) {
  app.add_option("--experts", options.experts, "N of each layer")->capture_default_str();
  app.add_option("--hidden", options.hidden, "H")->capture_default_str();
  app.add_option("--gate-hidden", options.gate_hidden, "G")->capture_default_str();
  app.add_option("--inputs", options.inputs, "D of the first layer")->capture_default_str();
  app.add_option("--layers", options.layers, "L")->capture_default_str();
  app.add_option("--rows", options.plan.rows, "of a batch, of all replicas")->required();
  app.add_option("--top-k", options.plan.chosen, "experts that a row chooses")->capture_default_str();
  app.add_option("--slices", options.plan.slices, "S, of a batch")->capture_default_str();
  app.add_option("--gate-slices", options.plan.gate_slices, "of gates; 0: S")->capture_default_str();
  app.add_option("--replicas", options.plan.replicas, "R")->capture_default_str();
  app.add_option("--gating", options.gating, "who gates: the coordinator of a replica, or each rank its rows")
      ->check(CLI::IsMember(exchange::gating_names()))
      ->capture_default_str();
  app.add_option("--steps", options.plan.steps, "that count, after one that does not")->capture_default_str();
  app.add_option("--products", options.work_times, "table of how long work takes (dmoe_work_times)")
      ->required();
  app.add_flag("--each-rank", options.tells_each_rank, "traffic of each rank too");
}

WorkTimes read_times(const std::string& path) {
  std::ifstream file(path);
  if (!file) throw InputError("{}: cannot be read", path);
  return WorkTimes(file);
}

/// One number of each rank, on the coordinator. Collective.
std::vector<double> of_each_rank(const comm::Communicator& world, double value) {
  return world.gather(std::vector<double>{value});
}

/// "name": {"first": of rank 0, "mean": .., "largest": ..}, on the coordinator. Collective.
std::string summary(const comm::Communicator& world, std::string_view name, double value) {
  const std::vector<double> all = of_each_rank(world, value);
  if (all.empty()) return "";
  double sum = 0;
  for (const double one : all) sum += one;
  return fmt::format(R"("{}": {{"first": {:.9g}, "mean": {:.9g}, "largest": {:.9g}}})", name, all.front(),
                     sum / static_cast<double>(all.size()), *std::ranges::max_element(all));
}

/// The traffic of a step as names and numbers.
std::vector<std::pair<std::string, double>> traffic_of(const StepCost& cost, const Plan& plan) {
  const auto steps = static_cast<double>(plan.steps);
  const comm::Traffic& traffic = cost.traffic;
  const auto a_step = [&](std::int64_t count) { return static_cast<double>(count) / steps; };
  return {{"bytes_sent", a_step(traffic.bytes_sent)},
          {"bytes_received", a_step(traffic.bytes_received)},
          {"bytes_reduced", a_step(traffic.bytes_reduced)},
          {"messages_sent", a_step(traffic.messages_sent)},
          {"messages_received", a_step(traffic.messages_received)}};
}

/// Collective.
void report(const comm::Communicator& world, const Options& options, const StepCost& cost) {
  std::vector<std::string> lines;
  const Plan& plan = options.plan;
  lines.push_back(fmt::format(
      R"("ranks": {}, "replicas": {}, "gating": "{}", "slices": {}, "gate_slices": {}, "rows": {}, "experts": {}, )"
      R"("top_k": {}, "steps": {})",
      world.size(), plan.replicas, options.gating, plan.slices,
      plan.gate_slices == 0 ? plan.slices : plan.gate_slices, plan.rows, options.experts, plan.chosen,
      plan.steps));
  lines.push_back(summary(world, "step_ms", cost.milliseconds));
  for (std::size_t a = 0; a < activity_names.size(); ++a)
    lines.push_back(summary(world, fmt::format("{}_ms", activity_names[a]), 1e3 * cost.activities[a]));
  std::vector<std::string> works;  // of the coordinator, which has all
  for (const auto& [work, seconds] : cost.charged)
    works.push_back(fmt::format(R"("{}": {:.9g})", work, 1e3 * seconds));
  lines.push_back(fmt::format(R"("charged_ms_of_first": {{{}}})", fmt::join(works, ", ")));
  for (const auto& [name, value] : traffic_of(cost, plan)) {
    lines.push_back(summary(world, name, value));
    const std::vector<double> all = of_each_rank(world, value);
    if (options.tells_each_rank)
      lines.push_back(fmt::format(R"("{}_by_rank": [{}])", name, fmt::join(all, ", ")));
  }
  if (world.is_coordinator()) fmt::print("{{{}}}\n", fmt::join(lines, ",\n "));
}

void run(const Options& options) {
  comm::Session session;
  charge_from(read_times(options.work_times));
  report(session.world(), options, train(session.world(), options.plan));
  session.finalize();
}

int run_program(int argc, char** argv) {
  CLI::App app("Training steps on simulated ranks (SimGrid SMPI)");
  Options options;
  add_options(app, options);
  try {
    app.parse(argc, argv);
    const model::LayerSpec layer{options.experts, options.hidden, options.gate_hidden};
    constexpr Index classes = 10;
    options.plan.gating = exchange::gating_named(options.gating);
    options.plan.network = {options.inputs, classes,
                            std::vector<model::LayerSpec>(static_cast<std::size_t>(options.layers), layer)};
    run(options);
    return 0;
  } catch (const CLI::ParseError& error) {
    return app.exit(error);
  } catch (const std::exception& error) {
    fmt::print(stderr, "dmoe_smpi: {}\n", error.what());
    comm::Session::abort(1);
  }
}

}  // namespace

}  // namespace dmoe::simulation

int main(int argc, char** argv) {
  return dmoe::simulation::run_program(argc, argv);
}
