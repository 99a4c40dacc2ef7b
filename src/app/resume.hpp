// Where a run that was interrupted goes on.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "app/config.hpp"
#include "comm/communicator.hpp"
#include "io/checkpoint_file.hpp"

namespace dmoe::app {

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

/// Looks for the newest checkpoint that is whole. Throws AgreedError where the config is not that of the run,
/// or differs where it matters, or the data set has another number of training examples. Changes nothing.
/// Collective.
Resumption find_resumption(const comm::Communicator& world, const std::string& folder, const Config& config,
                           Index training_examples);

}  // namespace dmoe::app
