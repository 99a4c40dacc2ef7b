#include "config/config.hpp"

#include <algorithm>
#include <limits>

#include "config/section.hpp"
#include "numerics/architecture.hpp"
#include "numerics/linear.hpp"

namespace dmoe::config {

namespace {

// Far beyond use; they keep sizes and step counts inside 64 bits.
constexpr Index most_experts = 65'536;
constexpr Index most_units = 1'000'000;
constexpr Index most_rows = 1'000'000;
constexpr Index most_epochs = 1'000'000;
constexpr Index most_steps = 1'000'000'000;
constexpr Index most_threads = 1'024;
constexpr Index largest_seed = std::numeric_limits<Index>::max();
constexpr double largest_weight_decay = 1e6;
constexpr double largest_norm = 1e30;
constexpr double largest_rate_factor = 1e6;
constexpr double most_minutes = 1e6;
constexpr Index most_checkpoints = 1'000'000;

/// A kind has the keys that it needs: a single expert is not counted, a layer without a gate has no
/// gate_hidden.
model::LayerSpec read_layer(Section& layer) {
  model::LayerSpec spec;
  const std::string kind = layer.choice("kind", "layer kind", model::layer_kind_names(), false);
  if (!kind.empty()) spec.kind = model::layer_kind_named(kind);
  spec.experts = spec.is_sharded() ? layer.integer("experts", {1, most_experts}) : 1;
  spec.hidden = layer.integer("hidden", {1, most_units});
  spec.gate_hidden = spec.is_gated() ? layer.integer("gate_hidden", {1, most_units}) : 0;
  layer.finish();
  return spec;
}

/// What the layers must have in common.
void check_layers(const std::vector<Section>& sections, const std::vector<model::LayerSpec>& layers) {
  for (std::size_t l = 0; l + 1 < layers.size(); ++l) {
    if (layers[l].kind == model::LayerKind::classifier_mixture)
      sections[l].refuse("kind",
                         "is \"classifier_mixture\", which gives the classes: it must be the last layer");
  }
}

model::Baseline read_baseline(Section& network, const std::vector<model::LayerSpec>& layers) {
  const std::string name = network.choice("baseline", "baseline", model::baseline_names(), true);
  const model::Baseline baseline = model::baseline_named(name);
  network.finish();
  for (const model::LayerSpec& layer : layers) {
    if (baseline == model::Baseline::none || layer.kind == model::LayerKind::mixture) continue;
    network.refuse("baseline",
                   fmt::format("is {}, which follows from layers of kind mixture; one is of kind {}",
                               toml_quoted(name), model::to_text(layer.kind)));
  }
  return baseline;
}

void read_training(Section& train, training::TrainingSpec& spec) {
  spec.seed = static_cast<std::uint64_t>(train.integer("seed", {0, largest_seed}, 0));
  spec.batch_size = train.integer("batch_size", {1, most_rows}, spec.batch_size);
  spec.momentum = train.real("momentum", {0.0, 1.0}, spec.momentum);
  if (spec.momentum == 1.0) train.refuse("momentum", "must be below 1.0, got 1.0");
  spec.weight_decay = train.real("weight_decay", {0.0, largest_weight_decay}, spec.weight_decay);
  spec.max_gradient_norm = train.real("max_gradient_norm", {0.0, largest_norm}, spec.max_gradient_norm);
  spec.log_every_steps = train.integer("log_every_steps", {1, most_steps}, spec.log_every_steps);
}

void read_evaluation(Section& evaluation, training::EvaluationSpec& spec) {
  spec.every_epochs = evaluation.integer("every_epochs", {0, most_epochs}, spec.every_epochs);
  spec.batch_size = evaluation.integer("batch_size", {1, most_rows}, spec.batch_size);
  evaluation.finish();
}

void read_checkpoint(Section& checkpoint, training::CheckpointSpec& spec) {
  spec.every_steps = checkpoint.integer("every_steps", {0, most_steps}, spec.every_steps);
  spec.every_minutes = checkpoint.real("every_minutes", {0.0, most_minutes}, spec.every_minutes);
  spec.at_phase_ends = checkpoint.flag("at_phase_ends", spec.at_phase_ends);
  spec.keep = checkpoint.integer("keep", {1, most_checkpoints}, spec.keep);
  checkpoint.finish();
}

/// One for all layers, or one for each, of which none chooses where no gate does.
void check_routings(const Section& phase, const std::vector<training::PartSpec>& routings,
                    const std::vector<model::LayerSpec>& layers) {
  if (routings.size() > 1 && routings.size() != layers.size())
    phase.refuse("routing",
                 fmt::format("has {} entries; one table is for all layers, an array has one for each of "
                             "the {} layers",
                             routings.size(), layers.size()));
  for (std::size_t l = 0; l < layers.size() && routings.size() > 1; ++l) {
    if (!layers[l].is_gated() && routings[l].name != "all")
      phase.refuse("routing",
                   fmt::format("has {} for layer {}, whose kind {} has no gate to choose by",
                               toml_quoted(routings[l].name), l + 1, model::to_text(layers[l].kind)));
  }
}

training::PhaseSpec read_phase(Section& phase, const std::vector<model::LayerSpec>& layers,
                               const std::vector<training::PhaseSpec>& before) {
  training::PhaseSpec spec;
  spec.name = phase.text("name");
  spec.epochs = phase.integer("epochs", {0, most_epochs});
  spec.rule = phase.part("balance", rule_kind());
  spec.routings = phase.parts("routing", routing_kind());
  spec.schedule = phase.part("learning_rate", schedule_kind());
  spec.expert_rate_factor =
      phase.real("expert_rate_factor", {0.0, largest_rate_factor}, spec.expert_rate_factor);
  phase.finish();
  check_routings(phase, spec.routings, layers);
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; };
  if (spec.name.empty() || std::any_of(spec.name.begin(), spec.name.end(), is_control)) {
    phase.refuse("name", "must be printable text, got " + toml_quoted(spec.name));
  }
  for (const training::PhaseSpec& other : before) {
    if (other.name == spec.name)
      phase.refuse("name", toml_quoted(spec.name) + " is the name of an earlier phase");
  }
  return spec;
}

void read_numerics(Section& numerics, NumericsSpec& spec) {
  spec.precision = numerics.choice("precision", "precision", numerics::precision_names(), true);
  spec.precision_place = numerics.place_of("precision");
  spec.threads = narrow<int>(numerics.integer("threads", {1, most_threads}, spec.threads));
  spec.isa = numerics.choice("isa", "instruction set", numerics::instruction_set_names(), true);
  numerics.finish();
}

/// Appends a table to the effective TOML, and what is not known of it.
void append(Config& config, const std::string& header, const Section& section) {
  config.text += header + "\n";
  for (const std::string& line : section.lines()) config.text += line + "\n";
  config.text += "\n";
  config.unknown.insert(config.unknown.end(), section.unknown().begin(), section.unknown().end());
}

/// What stands at the top and is not known comes first: TOML wants it before any table.
void begin(Config& config, const Section& root) {
  for (const std::string& line : root.lines()) config.text += line + "\n";
  if (!root.lines().empty()) config.text += "\n";
  config.unknown = root.unknown();
}

}  // namespace

Config parse_config(const std::string& text, const std::string& name,
                    const std::vector<std::string>& overrides, Unknown unknown) {
  const Document document(text, name, overrides, unknown);
  Section root(document);
  root.allow(
      {"data", "layers", "network", "train", "evaluation", "phases", "checkpoint", "comm", "numerics"});
  Config config;
  begin(config, root);

  Section data = root.table("data");
  config.data = data.part(dataset_kind());
  for (const auto& [setting, value] : config.data.settings.values())
    config.data_places[setting] = data.place_of(setting);
  data.finish();
  append(config, "[data]", data);

  std::vector<Section> layers = root.tables("layers");
  for (Section& layer : layers) {
    config.layers.push_back(read_layer(layer));
    append(config, "[[layers]]", layer);
  }
  check_layers(layers, config.layers);

  Section network = root.table("network");
  config.baseline = read_baseline(network, config.layers);
  append(config, "[network]", network);

  Section train = root.table("train");
  read_training(train, config.training);
  config.stop_after = train.duration("stop_after", "never");
  train.finish();
  append(config, "[train]", train);

  Section evaluation = root.table("evaluation");
  read_evaluation(evaluation, config.training.evaluation);
  append(config, "[evaluation]", evaluation);

  for (Section& phase : root.tables("phases")) {
    config.training.phases.push_back(read_phase(phase, config.layers, config.training.phases));
    append(config, "[[phases]]", phase);
  }

  Section checkpoint = root.table("checkpoint");
  read_checkpoint(checkpoint, config.training.checkpoint);
  append(config, "[checkpoint]", checkpoint);

  Section comm = root.table("comm");
  config.comm.timeout = comm.duration("timeout", "10m");
  comm.finish();
  append(config, "[comm]", comm);

  Section numerics = root.table("numerics");
  read_numerics(numerics, config.numerics);
  append(config, "[numerics]", numerics);
  config.text.pop_back();
  return config;
}

}  // namespace dmoe::config
