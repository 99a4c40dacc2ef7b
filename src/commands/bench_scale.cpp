#include "commands/bench_scale.hpp"

#include <algorithm>
#include <memory>
#include <optional>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "comm/together.hpp"
#include "commands/named_option.hpp"
#include "config/json.hpp"
#include "console/wording.hpp"
#include "core/error.hpp"
#include "core/suggestion.hpp"
#include "core/text_file.hpp"
#include "model/baseline.hpp"
#include "run/parts.hpp"
#include "scale/machine_file.hpp"
#include "scale/prediction.hpp"

namespace dmoe::commands {

namespace {

struct ScaleOptions {
  std::string config;
  std::vector<std::string> overrides;
  std::string machine;  // "": the default one
  std::string phase;    // "": the longest
  std::vector<Index> ranks{1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024};
  std::vector<scale::Gating> gatings{scale::Gating::coordinator};
  std::optional<Index> inputs, classes;
  bool is_json = false;
};

/// The layouts of one number of ranks.
struct Group {
  Index ranks = 0;
  std::vector<scale::Prediction> predictions;  // none: no layout has work for so many
};

struct Table {
  scale::Machine machine;
  scale::Workload work;
  std::string phase;
  double one_rank_ms = 0;  // of the whole batch in one slice
  std::vector<Group> groups;
};

scale::Machine machine_of(const std::string& path) {
  if (path.empty()) return scale::default_machine();
  return scale::parse_machine(read_text_file(path, "the machine"), path);
}

const training::PhaseSpec& phase_of(const config::Config& config, const std::string& name) {
  if (name.empty()) return scale::longest_phase(config);
  std::vector<std::string> names;
  for (const training::PhaseSpec& phase : config.training.phases) {
    if (phase.name == name) return phase;
    names.push_back(phase.name);
  }
  throw InputError("--phase {}: the config has no such phase{}; it has {}", name, suggestion(name, names),
                   config::joined(names));
}

/// Of data that need not be here where both are given. Collective.
model::NetworkSpec network_of(const comm::Communicator& world, const config::Config& config,
                              const ScaleOptions& options) {
  if (options.inputs && options.classes)
    return model::baseline_of({*options.inputs, *options.classes, config.layers}, config.baseline);
  const run::LoadedData data = run::load_data(world, config, {}, {});
  model::NetworkSpec network = run::network_of(config, *data.dataset);
  return network;
}

/// Gating by rows is for networks whose split layers have gates.
std::vector<scale::Gating> gatings_of(const model::NetworkSpec& network, const ScaleOptions& options) {
  const bool has_others = std::ranges::any_of(
      network.layers, [](const model::LayerSpec& layer) { return layer.is_sharded() && !layer.is_gated(); });
  if (!has_others) return options.gatings;
  if (std::ranges::count(options.gatings, scale::Gating::coordinator) == 0)
    throw InputError("--gating rows: a layer of kind concatenated has no gate");
  return {scale::Gating::coordinator};
}

Table predicted(const config::Config& config, const model::NetworkSpec& network,
                const ScaleOptions& options) {
  const training::PhaseSpec& phase = phase_of(config, options.phase);
  Table table{machine_of(options.machine), scale::workload_of(config, phase, network), phase.name, 0, {}};
  table.one_rank_ms =
      scale::predict(table.machine, table.work.in_one_slice(), scale::Layout{}).milliseconds();
  const std::vector<scale::Gating> gatings = gatings_of(network, options);
  for (const Index ranks : options.ranks) {
    const auto layouts =
        scale::layouts_of(ranks, table.work.slices, table.work.network.most_experts(), gatings);
    table.groups.push_back({ranks, scale::predict(table.machine, table.work, layouts)});
  }
  return table;
}

std::string routing_text(const scale::Workload& work) {
  const Index most = *std::ranges::max_element(work.chosen);
  return most == 0 ? "all experts" : console::counted(most, "expert") + " a row";
}

double megabytes(double bytes) {
  return 1e-6 * bytes;
}

void print_layout(const Table& table, const scale::Prediction& one, bool is_best) {
  const double speedup = table.one_rank_ms / one.milliseconds();
  const double rows = static_cast<double>(table.work.rows);
  const auto most = [&](double scale::RankLoad::*of) { return std::max(one.first.*of, one.other.*of); };
  fmt::print(
      "{:>6} {} {:<26} {:<11} {:>10.4g} {:>10.0f} {:>8.2f} {:>5.0f} {:>9.3f} {:>9.3f} {:>8.0f} {:>9.1f}\n",
      one.layout.ranks(), is_best ? '*' : ' ', scale::to_text(one.layout),
      one.layout.shards > 1 ? exchange::to_text(one.layout.gating) : "-", one.milliseconds(),
      1e3 * rows / one.milliseconds(), speedup, 100 * speedup / static_cast<double>(one.layout.ranks()),
      megabytes(most(&scale::RankLoad::bytes_sent)), megabytes(most(&scale::RankLoad::bytes_received)),
      std::max(one.first.messages_sent + one.first.messages_received,
               one.other.messages_sent + one.other.messages_received),
      megabytes(most(&scale::RankLoad::memory)));
}

void print_parts(const scale::Prediction& one) {
  const scale::Parts& parts = one.parts;
  fmt::print("{:>6}", one.layout.ranks());
  for (const double seconds : {parts.presenting, parts.gate, parts.experts, parts.packing, parts.head,
                               parts.sgd, parts.exchange, parts.replicas, parts.totals})
    fmt::print(" {:>10.4g}", 1e3 * seconds);
  fmt::print("\n");
}

void print(const Table& table) {
  const scale::Workload& work = table.work;
  fmt::print("model, nothing is measured: {}, {} in {}, {} (phase {}); machine: {}\n",
             console::network_text(work.network.layers), console::counted(work.rows, "row"),
             console::counted(work.slices, "slice"), routing_text(work), table.phase, table.machine.name);
  fmt::print(
      "one rank with the whole batch in one slice: {:.4g} ms a step; speed-up and efficiency are over it\n\n",
      table.one_rank_ms);
  fmt::print("{:>6}   {:<26} {:<11} {:>10} {:>10} {:>8} {:>5} {:>9} {:>9} {:>8} {:>9}\n", "ranks", "layout",
             "gating", "ms a step", "rows/s", "speed-up", "%", "MB sent", "MB recvd", "messages",
             "MB memory");
  for (const Group& group : table.groups) {
    if (group.predictions.empty())
      fmt::print("{:>6}   no layout: more ranks than experts of a layer times slices, or none divides them\n",
                 group.ranks);
    for (std::size_t i = 0; i < group.predictions.size(); ++i)
      print_layout(table, group.predictions[i], i == scale::fastest(group.predictions));
  }
  fmt::print(
      "\nbytes, messages and memory: of the rank of a replica that has the most\n"
      "milliseconds of the first rank, fastest layout of each number of ranks:\n");
  fmt::print("{:>6} {:>10} {:>10} {:>10} {:>10} {:>10} {:>10} {:>10} {:>10} {:>10}\n", "ranks", "presenting",
             "gate", "experts", "packing", "head", "sgd", "exchange", "replicas", "totals");
  for (const Group& group : table.groups)
    if (!group.predictions.empty()) print_parts(group.predictions[scale::fastest(group.predictions)]);
}

toml::table json_of(const scale::RankLoad& load) {
  return toml::table{{"bytes_sent", load.bytes_sent},
                     {"bytes_received", load.bytes_received},
                     {"bytes_reduced", load.bytes_reduced},
                     {"messages_sent", load.messages_sent},
                     {"messages_received", load.messages_received},
                     {"memory", load.memory}};
}

toml::table json_of(const scale::Prediction& one, bool is_best) {
  const scale::Parts& parts = one.parts;
  toml::table milliseconds;
  for (const auto& [name, seconds] :
       {std::pair("presenting", parts.presenting), std::pair("gate", parts.gate),
        std::pair("experts", parts.experts), std::pair("packing", parts.packing),
        std::pair("head", parts.head), std::pair("sgd", parts.sgd), std::pair("exchange", parts.exchange),
        std::pair("replicas", parts.replicas), std::pair("totals", parts.totals)})
    milliseconds.insert(name, 1e3 * seconds);
  return toml::table{{"source", "model"},
                     {"ranks", one.layout.ranks()},
                     {"replicas", one.layout.replicas},
                     {"shards", one.layout.shards},
                     {"gating", exchange::to_text(one.layout.gating)},
                     {"milliseconds", one.milliseconds()},
                     {"parts", std::move(milliseconds)},
                     {"first", json_of(one.first)},
                     {"other", json_of(one.other)},
                     {"is_best", is_best}};
}

void print_json(const Table& table) {
  toml::array layouts;
  for (const Group& group : table.groups)
    for (std::size_t i = 0; i < group.predictions.size(); ++i)
      layouts.push_back(json_of(group.predictions[i], i == scale::fastest(group.predictions)));
  const toml::table all{{"source", "model"},
                        {"machine", table.machine.name},
                        {"network", console::network_text(table.work.network.layers)},
                        {"phase", table.phase},
                        {"rows", table.work.rows},
                        {"slices", table.work.slices},
                        {"one_rank_milliseconds", table.one_rank_ms},
                        {"layouts", std::move(layouts)}};
  fmt::print("{}", config::to_json(all));
}

ExitStatus predict(const Job& job, const ScaleOptions& options) {
  const comm::Communicator& world = job.world();
  const config::Config config = run::load_config(world, options.config, options.overrides);
  const model::NetworkSpec network = network_of(world, config, options);
  comm::together(world, [&] {
    if (!world.is_coordinator()) return;
    const Table table = predicted(config, network, options);
    options.is_json ? print_json(table) : print(table);
  });
  return ExitStatus::done;
}

void add_model_options(CLI::App& parser, const std::shared_ptr<ScaleOptions>& options) {
  parser
      .add_option("--machine", options->machine,
                  "constants that dmoe bench machine has measured (default: dmoe's own)")
      ->option_text("FILE.toml");
  constexpr Index most_ranks = 65'536;
  parser.add_option("--ranks", options->ranks, "numbers of ranks (default: 1,2,4,..,1024)")
      ->delimiter(',')
      ->check(CLI::Range(Index{1}, most_ranks))
      ->option_text("P,..");
  const auto choose = [options](const std::string& word) {
    if (word == "both") {
      options->gatings = {scale::Gating::coordinator, scale::Gating::rows};
      return;
    }
    try {
      options->gatings = {exchange::gating_named(word)};
    } catch (const InputError&) {
      throw CLI::ValidationError("--gating must be one of coordinator, rows, both, got " +
                                 config::toml_quoted(word));
    }
  };
  parser
      .add_option_function<std::string>(
          "--gating", choose, "who gates a replica's rows: its first rank (default), the home of each row")
      ->type_name(choice_type)
      ->option_text("coordinator|rows|both");
}

}  // namespace

Action declare_bench_scale(CLI::App& parser) {
  const auto options = std::make_shared<ScaleOptions>();
  parser.add_option("config", options->config, "what would be trained")
      ->required()
      ->option_text("CONFIG.toml");
  parser.add_option("--set", options->overrides, "override a key: train.slices=8 (may be repeated)")
      ->allow_extra_args(false)
      ->option_text("KEY=VALUE");
  add_model_options(parser, options);
  parser.add_option("--phase", options->phase, "whose routing (default: the phase with the most epochs)")
      ->option_text("NAME");
  constexpr Index million = 1'000'000;
  CLI::Option* const inputs =
      parser.add_option("--inputs", options->inputs, "values of an example, of data that are not here")
          ->check(CLI::Range(Index{1}, million))
          ->option_text("COUNT");
  CLI::Option* const classes = parser.add_option("--classes", options->classes, "the same of classes")
                                   ->check(CLI::Range(Index{1}, million))
                                   ->needs(inputs)
                                   ->option_text("COUNT");
  inputs->needs(classes);
  parser.add_flag("--json", options->is_json, "for scripts: bytes, seconds by part, memory of each layout");
  parser.footer(
      "A table of what the model of scale says of every layout that train.slices and the experts allow: "
      "none\n"
      "of it is measured but the constants. Routed rows choose their experts evenly. An asterisk marks the\n"
      "fastest of each number of ranks.");
  return [options](const Job& job) { return predict(job, *options); };
}

}  // namespace dmoe::commands
