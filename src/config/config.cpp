#include "config/config.hpp"

#include <algorithm>

#include "config/schema.hpp"
#include "config/section.hpp"

namespace dmoe::config {

namespace {

/// What the schema cannot say of one table, and what becomes of its values: one of these for each table.
void take_data(const TableValues& values, const Section& section, Config& config) {
  config.data = values.part;
  for (const auto& [setting, value] : values.part.settings.values())
    config.data_places[setting] = section.place_of(setting);
}

void take_layer(const TableValues& values, const Section& section, Config& config) {
  const Settings& settings = values.part.settings;
  model::LayerSpec layer{.kind = model::layer_kind_named(values.part.name)};
  layer.experts = layer.is_sharded() ? settings.integer("experts") : 1;
  layer.hidden = settings.integer("hidden");
  layer.gate_hidden = layer.is_gated() ? settings.integer("gate_hidden") : 0;
  if (!config.layers.empty() && config.layers.back().kind == model::LayerKind::classifier_mixture)
    section.refuse("kind",
                   fmt::format("follows a layer {} of kind \"classifier_mixture\", which gives the classes: "
                               "that must be the last layer",
                               config.layers.size()));
  config.layers.push_back(layer);
}

void take_network(const TableValues& values, const Section& section, Config& config) {
  const std::string& name = values.text("baseline");
  config.baseline = model::baseline_named(name);
  for (const model::LayerSpec& layer : config.layers) {
    if (config.baseline == model::Baseline::none || layer.kind == model::LayerKind::mixture) continue;
    section.refuse("baseline",
                   fmt::format("is {}, which follows from layers of kind mixture; one is of kind {}",
                               toml_quoted(name), model::to_text(layer.kind)));
  }
}

void take_train(const TableValues& values, const Section& section, Config& config) {
  training::TrainingSpec& spec = config.training;
  spec.seed = narrow<std::uint64_t>(values.integer("seed"));
  spec.batch_size = values.integer("batch_size");
  spec.slices = values.integer("slices");
  if (spec.slices > spec.batch_size)
    section.refuse("slices", fmt::format("is {}, but a batch has no more than {} examples (train.batch_size)",
                                         spec.slices, spec.batch_size));
  spec.gate_slices = values.integer("gate_slices");
  if (spec.gate_slices % spec.slices != 0)
    section.refuse("gate_slices", fmt::format("must be a multiple of train.slices, which is {}, got {}",
                                              spec.slices, spec.gate_slices));
  if (spec.gate_slices > spec.batch_size)
    section.refuse("gate_slices",
                   fmt::format("is {}, but a batch has no more than {} examples (train.batch_size)",
                               spec.gate_slices, spec.batch_size));
  spec.momentum = values.real("momentum");
  spec.weight_decay = values.real("weight_decay");
  spec.max_gradient_norm = values.real("max_gradient_norm");
  spec.log_every_steps = values.integer("log_every_steps");
  config.stop_after = seconds_of(values.text("stop_after"));
}

void take_evaluation(const TableValues& values, const Section& /*section*/, Config& config) {
  config.training.evaluation.every_epochs = values.integer("every_epochs");
  config.training.evaluation.batch_size = values.integer("batch_size");
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

void take_phase(const TableValues& values, const Section& section, Config& config) {
  training::PhaseSpec spec;
  spec.name = values.text("name");
  spec.epochs = values.integer("epochs");
  spec.rule = values.parts.at("balance").front();
  spec.routings = values.parts.at("routing");
  spec.schedule = values.parts.at("learning_rate").front();
  spec.expert_rate_factor = values.real("expert_rate_factor");
  check_routings(section, spec.routings, config.layers);
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; };
  if (spec.name.empty() || std::any_of(spec.name.begin(), spec.name.end(), is_control))
    section.refuse("name", "must be printable text, got " + toml_quoted(spec.name));
  for (const training::PhaseSpec& other : config.training.phases) {
    if (other.name == spec.name)
      section.refuse("name", toml_quoted(spec.name) + " is the name of an earlier phase");
  }
  config.training.phases.push_back(std::move(spec));
}

void take_checkpoint(const TableValues& values, const Section& /*section*/, Config& config) {
  training::CheckpointSpec& spec = config.training.checkpoint;
  spec.every_steps = values.integer("every_steps");
  spec.every_minutes = values.real("every_minutes");
  spec.at_phase_ends = values.flag("at_phase_ends");
  spec.keep = values.integer("keep");
}

void take_comm(const TableValues& values, const Section& /*section*/, Config& config) {
  config.comm.replicas = parsed_count(values.text("replicas"));
  config.comm.gating = values.text("gating");
  config.comm.timeout = seconds_of(values.text("timeout"));
}

void take_numerics(const TableValues& values, const Section& section, Config& config) {
  config.numerics.precision = values.text("precision");
  config.numerics.precision_place = section.place_of("precision");
  config.numerics.threads = narrow<int>(values.integer("threads"));
  config.numerics.isa = values.text("isa");
}

const std::map<std::string, void (*)(const TableValues&, const Section&, Config&), std::less<>> takers{
    {"data", take_data},
    {"layers", take_layer},
    {"network", take_network},
    {"train", take_train},
    {"evaluation", take_evaluation},
    {"phases", take_phase},
    {"checkpoint", take_checkpoint},
    {"comm", take_comm},
    {"numerics", take_numerics}};

/// Adds a table to the effective config, and what is not known of it.
void append(Config& config, const std::string& header, const Section& section) {
  config.tables.push_back({header, section.lines()});
  config.unknown.insert(config.unknown.end(), section.unknown().begin(), section.unknown().end());
}

}  // namespace

std::string to_toml(const std::vector<TableText>& tables) {
  std::string text;
  for (const TableText& table : tables) {
    if (!text.empty()) text += "\n";
    if (!table.header.empty()) text += table.header + "\n";
    for (const Line& line : table.lines) text += line.text() + "\n";
  }
  return text;
}

Config parse_config(const std::string& text, const std::string& name,
                    const std::vector<std::string>& overrides, Unknown unknown) {
  const std::vector<Table> tables = schema();
  const Document document(text, name, overrides, unknown);
  Section root(document);
  std::vector<std::string> names;
  for (const Table& table : tables) names.push_back(table.name);
  root.allow(names);
  Config config;
  // What stands at the top and is not known comes first: TOML wants it before any table.
  if (!root.lines().empty()) append(config, "", root);
  for (const Table& table : tables) {
    std::vector<Section> sections;
    if (table.is_array) {
      sections = root.tables(table.name);
    } else {
      sections.push_back(root.table(table.name));
    }
    for (Section& section : sections) {
      takers.at(table.name)(section.read(table), section, config);
      append(config, table.header(), section);
    }
  }
  config.text = to_toml(config.tables);
  return config;
}

}  // namespace dmoe::config
