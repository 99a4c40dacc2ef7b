// What each expert stands for: its mean gate output at every level of a factor (paper, figure 2), and the
// mutual information between the choice of an expert and the factor.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "analysis/mutual_information.hpp"
#include "data/dataset.hpp"
#include "distribution/network.hpp"
#include "training/evaluation.hpp"

namespace dmoe::analysis {

/// One layer against one factor of F levels.
struct FactorMap {
  std::string factor;             // "class", "translation"
  std::vector<Index> levels;      // sizes of its axes, F in all
  std::vector<std::string> axes;  // their names
  std::vector<double> mean_gate;  // (N, F): over the examples of a level; NaN where there are none
  Information soft;               // of p(e, f) = mean over the examples x of g_e(x) [f(x) = f]
  Information hard;  // the same with the largest gate (the first of equals) counted as 1, others as 0
};

struct LayerSpecialisation {
  std::vector<double> mean_gate;   // (N), over all examples
  std::vector<FactorMap> factors;  // in the order of the data set's
};

struct Specialisation {
  std::string split;  // "train", "validation", "test"
  Index examples = 0;
  std::vector<LayerSpecialisation> layers;
};

/// Measures all layers against all factors over one split, no expert masked. The result is on the coordinator
/// (without layers elsewhere); nothing where it was stopped half way, on all ranks alike. Collective over the
/// network's ranks.
std::optional<Specialisation> measure(distribution::Network& network, const data::Dataset& dataset,
                                      const training::Pass& pass,
                                      const training::StopRequested& stop_requested);

}  // namespace dmoe::analysis
