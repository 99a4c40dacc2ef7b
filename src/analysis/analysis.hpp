// The analysis of a trained network: what `dmoe analyze` measures.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "analysis/combinations.hpp"
#include "analysis/specialisation.hpp"

namespace dmoe::analysis {

struct Options {
  Permutations permutations;
  Index top = 10;                   // examples of each combination of experts
  Index most_combinations = 4'096;  // a pair of layers with more is left out
};

struct Analysis {
  std::string split;  // "train", "validation", "test"
  Index examples = 0;
  Index groups = 0;  // that were shuffled as wholes; 0: every example for itself
  Permutations permutations;
  std::vector<std::string>
      data_differences;                     // from those the model was trained on, as far as the caller knows
  std::vector<LayerSpecialisation> layers;  // empty of a layer without a gate
  std::vector<std::optional<Pair>> pairs;   // of layer l and the next with a gate; nothing where there is
                                            // none, or it was left out
  std::optional<TopExamples> top;           // of the layer with a gate, where there is only one
};

/// Measures over one split, no expert masked; all ranks of all replicas take part, and the result is the same
/// for any number of them. It is on the coordinator (empty elsewhere); nothing where it was stopped half way,
/// on all ranks alike. Throws InputError on all ranks where the top examples would be too many. Collective
/// over all replicas.
std::optional<Analysis> analyze(distribution::Network& network, const data::Dataset& dataset,
                                const training::Pass& pass, const Options& options,
                                const training::StopRequested& stop_requested);

}  // namespace dmoe::analysis
