// What a sweep runs: SWEEP.toml as a list of runs, each a config with overrides, all checked before any
// starts.
//
//     ranks = 1                                  # of each run (default 1)
//     analyze = true                             # look at each finished run with dmoe analyze (default
//     true);
//                                                # { top = 16 }: so, with dmoe analyze --top 16
//     launcher = "srun -n {ranks}"               # of runs on more than one rank (default:
//     comm::default_launcher)
//
//     [[grids]]                                  # one run for each combination of what is listed
//     config = ["small.toml", "large.toml"]      # beside this file
//     network.baseline = ["none", "single"]      # any key that --set knows
//     train.seed = [0, 1, 2]
//
//     [[grids]]                                  # and these
//     config = "small.toml"
//     phases.constrained.epochs = 90
//     train.seed = [0, 1, 2]
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "config/config.hpp"
#include "core/types.hpp"

namespace dmoe::sweep {

struct PlannedRun {
  std::string name;         // "small,network.baseline=none,train.seed=0": its folder
  std::string group;        // "small,network.baseline=none": the same of runs that differ in train.seed alone
  std::string config_path;  // of the TOML file
  std::vector<std::pair<std::string, std::string>> settings;  // key and value of each --set, in order of key
  config::Config config;
  Index ranks = 1;       // no more than can have work in this network
  Index repetition = 0;  // which of its grid's seeds (train.seed) it has, from 0

  /// As --set takes them: "train.seed=0". Local.
  std::vector<std::string> overrides() const;
};

struct SweepPlan {
  Index ranks = 1;
  bool analyzes = true;
  std::optional<Index> top;       // examples that dmoe analyze keeps of each combination of experts
  std::string launcher;           // what starts a run of more than one rank; {ranks} stands for their number
  std::vector<PlannedRun> runs;   // grid by grid, the last key changing fastest; each once
  std::vector<std::string> keys;  // all that any grid sets, in order
};

/// Reads a sweep and every config that it names. Throws InputError with file, line and key; two runs of one
/// effective config are a mistake too. Local.
SweepPlan read_sweep(const std::string& path);

/// The words of a launcher, every {ranks} in it replaced by their number. Local.
std::vector<std::string> launcher_words(std::string launcher, Index ranks);

}  // namespace dmoe::sweep
