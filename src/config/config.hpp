// The config of a run: TOML in, checked values out (schema.cpp declares all keys).
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "config/document.hpp"
#include "config/line.hpp"
#include "model/baseline.hpp"
#include "model/network_spec.hpp"
#include "training/spec.hpp"

namespace dmoe::config {

struct NumericsSpec {
  std::string precision = "float32";  // or bf16
  std::string precision_place;        // where it was set: "config.toml:3"
  int threads = 1;                    // of each rank
  std::string isa = "best";
};

/// [comm]
struct CommSpec {
  std::optional<Index> replicas;  // of the network; none: as it suits the ranks
  std::string gating = "auto";    // or coordinator, rows
  std::optional<double> timeout;  // seconds that a rank may wait in one operation; none: for ever
};

/// A table of the effective config.
struct TableText {
  std::string header;  // "[train]"; of what stands before all tables empty
  std::vector<Line> lines;
};

/// As TOML, which loads to the same values again, bit for bit. Local.
std::string to_toml(const std::vector<TableText>& tables);

struct Config {
  training::PartSpec data;
  std::map<std::string, std::string> data_places;  // where each of its settings was set: "config.toml:3"
  std::vector<model::LayerSpec> layers;
  model::Baseline baseline = model::Baseline::none;  // what to make of the layers
  training::TrainingSpec training;
  std::optional<double> stop_after;  // seconds
  CommSpec comm;
  NumericsSpec numerics;
  std::vector<TableText> tables;  // the effective config: every key of the schema, defaults filled in
  std::string text;               // the same as TOML
  /// What a reader kept without knowing it: `phases.1.balance.rule = "relay"`.
  std::vector<std::string> unknown;
};

/// Reads a config from TOML text, called `name` in messages, with overrides such as "train.seed=3" laid over
/// it. Throws InputError with file, line, key, value and what is allowed. Whoever only reads a run has what
/// this program does not know (rules, schedules, routings, data sets, keys) kept as text. Local.
Config parse_config(const std::string& text, const std::string& name,
                    const std::vector<std::string>& overrides = {}, Unknown unknown = Unknown::refused);

}  // namespace dmoe::config
