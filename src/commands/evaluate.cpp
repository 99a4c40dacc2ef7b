#include "commands/evaluate.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "comm/together.hpp"
#include "comm/watchdog.hpp"
#include "commands/trained_model_options.hpp"
#include "console/wording.hpp"
#include "core/error.hpp"
#include "core/exit_status.hpp"
#include "core/paths.hpp"
#include "io/cost_file.hpp"
#include "numerics/architecture.hpp"
#include "run/folder.hpp"
#include "run/guarded_file.hpp"
#include "training/evaluation.hpp"

namespace dmoe::commands {

namespace {

struct EvaluateOptions {
  TrainedModelOptions model;
  std::optional<Index> top_k;
  std::optional<double> threshold;
  bool draws_curve = false;
  std::vector<Index> more_k;  // of the curve
  Index repetitions = 3;
};

/// What a curve tries besides all k.
constexpr std::array thresholds{0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5};

bool never() {
  return false;
}

/// One routing for all layers, with the gate values that the model was trained with.
class OneRouting {
 public:
  OneRouting(const run::TrainedModel& model, std::string rule, double setting)
      : rule_(std::move(rule)), setting_(setting) {
    std::vector<training::PartSpec> parts;
    for (Index l = 0; l < model.network->spec().layer_count(); ++l) {
      training::PartSpec& part = parts.emplace_back();
      part.name = rule_;
      if (rule_ == "top_k") part.settings.set("k", static_cast<std::int64_t>(setting));
      if (rule_ == "threshold") part.settings.set("probability", setting);
      if (rule_ == "all") continue;
      part.settings.set("value", model::to_text(model.routings.of(l).value()));
      part.settings.set("noise", 0.0);
    }
    routings_.emplace(parts, model.network->spec().layer_count());
  }
  void put_in_force(const run::TrainedModel& model) const { routings_->put_in_force(*model.network); }
  const std::string& rule() const { return rule_; }
  double setting() const { return setting_; }

 private:
  std::string rule_;
  double setting_;
  std::optional<training::Routings> routings_;
};

std::optional<OneRouting> asked_for(const run::TrainedModel& model, const EvaluateOptions& options) {
  if (options.top_k) return OneRouting(model, "top_k", static_cast<double>(*options.top_k));
  if (options.threshold) return OneRouting(model, "threshold", *options.threshold);
  return std::nullopt;
}

struct Passed {
  training::Score score;
  double multiply_accumulates;  // of an example, in the mean
  double seconds;               // of this rank
};

/// Scores the model as its routing is. Collective.
Passed pass_over(const run::TrainedModel& model, Index examples) {
  training::Work work;
  const training::Score score = *training::evaluate(*model.network, *model.dataset, model.pass, never, &work);
  model.network->grid().column().all_reduce(work.expert_rows);  // each replica has had some of the batches
  const Index all = model.network->spec().multiply_accumulates(examples, work.expert_rows);
  return {score, static_cast<double>(all) / static_cast<double>(examples), work.seconds};
}

io::CostPoint measured(const run::TrainedModel& model, const OneRouting& routing, Index examples,
                       Index repetitions) {
  routing.put_in_force(model);
  io::CostPoint point{routing.rule(), routing.setting(), {}, 0, 0};
  std::vector<double> seconds;
  for (Index r = 0; r <= repetitions; ++r) {  // the first compiles products
    const Passed passed = pass_over(model, examples);
    point.score = passed.score;
    point.multiply_accumulates = passed.multiply_accumulates;
    if (r > 0) seconds.push_back(passed.seconds);
  }
  std::ranges::sort(seconds);
  point.seconds = seconds[seconds.size() / 2];
  return point;
}

/// Of a layer with a gate; 0: no layer has one.
Index most_experts(const run::TrainedModel& model) {
  Index most = 0;
  for (const model::LayerSpec& layer : model.network->spec().layers) most = std::max(most, layer.choices());
  return most;
}

/// There must be something to choose, and as much.
void check_gates(const comm::Communicator& world, const run::TrainedModel& model,
                 const EvaluateOptions& options) {
  comm::together(world, [&] {
    const bool chooses = options.top_k || options.threshold || options.draws_curve;
    const auto& layers = model.network->spec().layers;
    if (chooses && std::ranges::none_of(layers, &model::LayerSpec::is_gated))
      throw InputError("{}: --top-k, --gate-threshold and --curve choose experts, but no layer has a gate",
                       model.path);
    if (options.top_k.value_or(0) > most_experts(model))
      throw InputError("--top-k {}: no layer of {} has more than {} experts to choose from", *options.top_k,
                       model.path, most_experts(model));
    for (const Index k : options.more_k)
      if (k > most_experts(model))
        throw InputError("--curve-k {}: no layer of {} has more than {} experts to choose from", k,
                         model.path, most_experts(model));
  });
}

/// The k of a curve below `experts`: all where they are few, else 1, 2, 4, ..; and `more`.
std::set<Index> ks_of_curve(Index experts, const std::vector<Index>& more) {
  constexpr Index few = 16;
  std::set<Index> ks(more.begin(), more.end());
  for (Index k = 1; k < experts; k = experts <= few ? k + 1 : 2 * k) ks.insert(k);
  return ks;
}

std::vector<OneRouting> routings_of_curve(const run::TrainedModel& model, const std::vector<Index>& more_k) {
  std::vector<OneRouting> routings;
  for (const Index k : ks_of_curve(most_experts(model), more_k))
    routings.emplace_back(model, "top_k", static_cast<double>(k));
  for (const double threshold : thresholds) routings.emplace_back(model, "threshold", threshold);
  routings.emplace_back(model, "all", std::numeric_limits<double>::quiet_NaN());
  return routings;
}

void print(const io::CostPoint& point) {
  const std::string name = point.routing == "all"     ? "all experts"
                           : point.routing == "top_k" ? fmt::format("top {:g}", point.setting)
                                                      : fmt::format("gates of {:g} and more", point.setting);
  fmt::print("{:<24}{:>9.2f}{:>12.6f}{:>14}{:>11.1f}\n", name, 100 * point.score.error, point.score.loss,
             console::grouped(std::llround(point.multiply_accumulates)), 1000 * point.seconds);
}

void draw_curve(const comm::Communicator& world, const run::TrainedModel& model, const std::string& run,
                const EvaluateOptions& options) {
  const std::string split = data::split_name(options.model.split);
  const Index examples = model.dataset->example_count(options.model.split);
  io::CostCurve curve{split,
                      examples,
                      world.size(),
                      options.repetitions,
                      model.config_text,
                      model.trained.step,
                      numerics::instruction_set(),
                      model.data_differences,
                      {}};
  if (world.is_coordinator())
    fmt::print("{:<24}{:>9}{:>12}{:>14}{:>11}\n", "computed", "error %", "loss", "MAC/example", "ms a pass");
  for (const OneRouting& routing : routings_of_curve(model, options.more_k)) {
    curve.points.push_back(measured(model, routing, examples, options.repetitions));
    if (world.is_coordinator()) print(curve.points.back());
  }
  comm::together(world, [&] {
    if (world.is_coordinator()) io::write_cost(run, curve);
  });
  if (world.is_coordinator()) fmt::print("written to {}, /cost\n", run);
}

/// What an evaluation found, for a person or for a script.
struct Result {
  const run::TrainedModel& model;
  std::string split;
  Index examples;
  training::Score score;
  Index multiply_accumulates;  // an example, in the mean
  std::string routing;         // "as trained", "top_k 2"

  Index wrong() const { return std::llround(score.error * static_cast<double>(examples)); }
  Index all_experts() const { return model.network->spec().multiply_accumulates(); }
};

void print(const Result& result) {
  fmt::print("{}: {} error {:.2f} % ({} of {}), loss {:.6f} nats\n", result.model.path, result.split,
             100 * result.score.error, console::grouped(result.wrong()), console::grouped(result.examples),
             result.score.loss);
  if (result.multiply_accumulates != result.all_experts())
    fmt::print("{} multiply-accumulates an example in the mean, all experts would take {}\n",
               console::grouped(result.multiply_accumulates), console::grouped(result.all_experts()));
}

toml::table json_of(const Result& result) {
  toml::table told = told_of(result.model);
  told.insert("wrong", result.wrong());
  told.insert("error", result.score.error);
  told.insert("loss", result.score.loss);
  told.insert("multiply_accumulates", result.multiply_accumulates);
  told.insert("multiply_accumulates_of_all_experts", result.all_experts());
  told.insert("routing", result.routing);
  return told;
}

/// One run, a model file or a checkpoint. Collective.
void evaluate(const Job& job, const EvaluateOptions& options, const std::string& folder,
              toml::array& results) {
  const comm::Communicator& world = job.world();
  const std::string run = run::run_file(folder);
  comm::together(world, [&] {
    if (!options.draws_curve || !world.is_coordinator()) return;
    if (!path_exists(run)) throw InputError("{}: holds no run.h5, where the curve is kept", folder);
    run::check_in_child(run);
  });
  const run::TrainedModel model =
      run::load_trained_model(world, folder, options.model.split, options.model.overrides);
  check_gates(world, model, options);
  if (world.is_coordinator() && !options.model.prints_json) print_remarks(model);
  const comm::Watchdog watchdog(world, model.comm.timeout);
  if (options.draws_curve) return draw_curve(world, model, run, options);
  const std::optional<OneRouting> routing = asked_for(model, options);
  if (routing) routing->put_in_force(model);
  const Index examples = model.dataset->example_count(options.model.split);
  const Passed passed = pass_over(model, examples);
  if (!world.is_coordinator()) return;
  const Result result{model,
                      data::split_name(options.model.split),
                      examples,
                      passed.score,
                      std::llround(passed.multiply_accumulates),
                      routing ? fmt::format("{} {:g}", routing->rule(), routing->setting()) : "as trained"};
  options.model.prints_json ? results.push_back(json_of(result)) : print(result);
}

ExitStatus evaluate_all(const Job& job, const EvaluateOptions& options) {
  with_each_run(job, options.model,
                [&](const std::string& run, toml::array& results) { evaluate(job, options, run, results); });
  return ExitStatus::done;
}

}  // namespace

Action declare_evaluate(CLI::App& parser) {
  const auto options = std::make_shared<EvaluateOptions>();
  add_trained_model_options(parser, options->model, "folders of runs, model files or checkpoints");
  CLI::Option* const top_k =
      parser
          .add_option("--top-k", options->top_k,
                      "compute the K experts with the largest gates of each layer only (default: as trained)")
          ->check(CLI::Range(1, 65'536))
          ->option_text("K");
  CLI::Option* const threshold =
      parser
          .add_option("--gate-threshold", options->threshold,
                      "compute the experts whose gate is at least P only, and the largest")
          ->check(CLI::Range(0.0, 1.0))
          ->option_text("P")
          ->excludes(top_k);
  CLI::Option* const curve =
      parser
          .add_flag("--curve", options->draws_curve,
                    "accuracy against cost for a range of K (every K of up to 16 "
                    "experts, else 1, 2, 4, ..) and of P, kept in the run file of a run "
                    "that has ended")
          ->excludes(top_k)
          ->excludes(threshold)
          ->excludes(parser.get_option("--json"));
  parser.add_option("--curve-k", options->more_k, "K that the curve is to have besides")
      ->needs(curve)
      ->check(CLI::Range(1, 65'536))
      ->option_text("K...");
  parser
      .add_option("--repetitions", options->repetitions,
                  "of each measurement of the curve's times, of which the median counts (default: 3)")
      ->needs(curve)
      ->check(CLI::Range(1, 1000))
      ->option_text("COUNT");
  return [options](const Job& job) { return evaluate_all(job, *options); };
}

}  // namespace dmoe::commands
