// All that a run file (run.h5) holds, in memory. What stands where in the file: run_schema.hpp.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/types.hpp"
#include "hdf5/file.hpp"
#include "io/data_record.hpp"
#include "model/network_spec.hpp"
#include "training/observer.hpp"

namespace dmoe::io {

enum class RunStatus { running, finished, interrupted, failed };

/// "running", .. Local.
std::string to_text(RunStatus status);

/// How and where a run was started.
struct Launch {
  std::string command_line;
  std::vector<std::string> hosts;  // of every rank
  std::string mpi_library;
  Index ranks = 1;
  Index replicas = 1;
  std::string gating = "coordinator";  // who gates the rows of a replica: it, or "rows"
  Index threads = 1;                   // of each rank
  std::string cpu;
  std::string instruction_set;
};

/// A launch, and what is known of it later.
struct LaunchRecord {
  Launch launch;
  std::string compiler;
  training::RankSeconds seconds;            // empty before the first evaluation
  std::string start_time;                   // ISO 8601, UTC
  Index first_step = 0;                     // steps done before it
  std::vector<std::string> config_changes;  // "train.log_every_steps: 100 -> 10", since the start before
  std::optional<double> wall_seconds{};     // from start_time to the last write; not of the first files
};

struct Provenance {
  std::string version;
  std::string git_commit;
  std::uint64_t seed = 0;
  std::string start_time;  // ISO 8601, UTC
  std::string end_time;    // empty while running
  RunStatus status = RunStatus::running;
};

/// A layer, and how many values it reads and gives.
struct LayerRecord {
  model::LayerSpec spec;
  Index inputs = 0;
  Index outputs = 0;
  bool operator==(const LayerRecord&) const = default;
};

/// Of all layers of a network. Local.
std::vector<LayerRecord> layer_records(const model::NetworkSpec& network);

/// The network that was trained: of a baseline, what became of the config's layers.
struct NetworkRecord {
  std::string text;                 // "4x100 - 4x100"
  std::vector<LayerRecord> layers;  // none in files before format_minor 2
  Index inputs = 0;                 // D of the first layer
  Index classes = 0;
  Index parameters = 0;
  Index multiply_accumulates = 0;  // of one forward pass of one example
  bool operator==(const NetworkRecord&) const = default;
};

struct RunSummary {
  std::string config_toml;
  NetworkRecord network;
  DataRecord data;
  Provenance provenance;
  std::vector<LaunchRecord> launches;
  std::vector<std::string> phases;  // names; rows count phases from 0
  std::vector<training::LogRow> rows;
  std::vector<training::EvaluationRow> evaluations;
};

/// Writes all of it but the root attributes and /config into a file. Local.
void write_contents(hdf5::File& file, const RunSummary& run);
/// Reads what write_contents() wrote, and /config. Throws InputError. Local.
RunSummary read_contents(const hdf5::File& file);

/// Writes a run file whole: complete or not at all. Throws RunError. Local.
void write_run(const std::string& path, const RunSummary& run);

/// Reads a run file, of a run that goes on as well. Throws InputError. Local.
RunSummary read_run(const std::string& path);

}  // namespace dmoe::io
