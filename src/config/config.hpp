// The config of a run: TOML in, checked values out (src/app/README.md lists all keys).
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "config/document.hpp"
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
  std::optional<double> timeout;  // seconds that a rank may wait in one operation; none: for ever
};

struct Config {
  training::PartSpec data;
  std::map<std::string, std::string> data_places;  // where each of its settings was set: "config.toml:3"
  std::vector<model::LayerSpec> layers;
  model::Baseline baseline = model::Baseline::none;  // what to make of the layers
  training::TrainingSpec training;
  std::optional<double> stop_after;  // seconds
  CommSpec comm;
  NumericsSpec numerics;
  /// The effective TOML: every key of the schema, in its order, defaults filled in. It loads to this config
  /// again, bit for bit.
  std::string text;
  /// What a reader kept without knowing it: `phases[1].balance.rule = "relay"`.
  std::vector<std::string> unknown;
};

/// Reads a config from TOML text, called `name` in messages, with overrides such as "train.seed=3" laid over
/// it. Throws InputError with file, line, key, value and what is allowed. Whoever only reads a run has what
/// this program does not know (rules, schedules, routings, data sets, keys) kept as text. Local.
Config parse_config(const std::string& text, const std::string& name,
                    const std::vector<std::string>& overrides = {}, Unknown unknown = Unknown::refused);

}  // namespace dmoe::config
