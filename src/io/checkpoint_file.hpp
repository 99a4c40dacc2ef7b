// Checkpoints (RUN/checkpoints/step-NNNNNNNN.h5): all that a later start needs to go on with the same bits.
//
//   /config, /provenance, /network, /launches,
//   /train, /evaluation, /layers                as in run.h5, up to the checkpoint's step
//   /model                                      as in model.h5
//   /optimizer                                  mirrors /model: velocities, where there is momentum
//   /state                                      attributes: the trainer's state (training/state.hpp), its
//   window
//                                               of sums since the last row, what it must find again; crc32 of
//                                               all values of /state
//   /state/layers/l/{totals,rule_totals,masked_steps,window_masked_steps}   (N) int64, of layers with a gate
//
// Weights and velocities are written by all ranks together, the rest by the coordinator. A file appears
// complete or not at all.
#pragma once

#include <limits>
#include <string>
#include <vector>

#include "core/types.hpp"
#include "distribution/network.hpp"
#include "io/run_summary.hpp"
#include "training/optimizer.hpp"
#include "training/state.hpp"

namespace dmoe::io {

struct Checkpoint {
  training::State state;
  std::string instruction_set;  // that computed it
  RunSummary run;               // without /analysis
};

/// Where the checkpoint after `step` steps stands in the folder of checkpoints. Local.
std::string checkpoint_path(const std::string& folder, Index step);
/// The checkpoints in a folder up to a step, whole or not, newest first; none where there is no folder.
/// Local.
std::vector<std::string> find_checkpoints(const std::string& folder,
                                          Index last_step = std::numeric_limits<Index>::max());
/// Removes all but the newest `keep` up to a step: what is ahead of a run that goes on could not be read, and
/// takes no other's place. Local.
void prune_checkpoints(const std::string& folder, Index keep,
                       Index last_step = std::numeric_limits<Index>::max());

/// Saves network, optimiser and state; the first replica writes, its coordinator what is known of the run
/// (elsewhere `run` does not matter). Throws RunError on all its ranks, and then there is no new file.
/// Collective over all replicas.
void save_checkpoint(const std::string& path, distribution::Network& network, training::Sgd& optimizer,
                     const training::State& state, const std::string& instruction_set, const RunSummary& run);

/// All but the tensors. Throws InputError where the file is damaged or no checkpoint. Local.
Checkpoint read_checkpoint(const std::string& path);

/// Reads weights and velocities: each rank of the first replica its own part, the others what that sends
/// them. Throws InputError on all ranks. Collective over all replicas.
void load_checkpoint(const std::string& path, distribution::Network& network, training::Sgd& optimizer);

}  // namespace dmoe::io
