// Where a run that was interrupted goes on.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "comm/communicator.hpp"
#include "config/config.hpp"
#include "data/contents.hpp"
#include "io/checkpoint_file.hpp"

namespace dmoe::run {

/// What a folder holds of a run.
struct Resumption {
  bool is_finished = false;  // the run has had all epochs that the config asks for
  std::string checkpoint;    // to go on from; empty: begin at the first step
  training::State state;     // of it
  // On the coordinator alone:
  std::optional<io::RunSummary> run;        // curves up to the checkpoint, all launches before
  std::vector<std::string> config_changes;  // since the checkpoint
  std::vector<std::string> remarks;         // for the person who watches
};

/// What a folder says of its run's data: where they are looked for, and the names of classes and levels.
/// Empty where there is no run, or one that does not say. Collective.
io::DataRecord known_data(const comm::Communicator& world, const std::string& folder);

/// Looks for the newest checkpoint that is whole. Throws on all ranks where the config is not that of the
/// run, or differs where it matters, or the data do. Changes nothing. Collective.
Resumption find_resumption(const comm::Communicator& world, const std::string& folder,
                           const config::Config& config, const data::Contents& contents);

}  // namespace dmoe::run
