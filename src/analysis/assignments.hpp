// Every example's gates in every layer, and its factors: what all of an analysis is computed from.
#pragma once

#include <optional>
#include <vector>

#include "analysis/gates.hpp"
#include "data/dataset.hpp"
#include "distribution/network.hpp"
#include "training/evaluation.hpp"

namespace dmoe::analysis {

struct Assignments {
  /// The values in use of each layer (X, N), X examples; N = 0 without a gate. Rows add up to 1, but for a
  /// routing that weighs by probabilities: there an example counts in soft information as much as its
  /// experts.
  std::vector<Gates> gates;
  std::vector<data::Factor> factors;              // those of the data set
  std::vector<std::vector<std::int32_t>> levels;  // of each factor (X): flat, last axis fastest
  std::vector<Index> groups;  // first example of each group of the data set; empty where there are none
};

/// Runs the network over a split, no expert masked. The same on every rank, for any number of ranks and
/// replicas; nothing where it was stopped half way, on all ranks alike. Collective over all replicas.
std::optional<Assignments> collect(distribution::Network& network, const data::Dataset& dataset,
                                   const training::Pass& pass, const training::StopRequested& stop_requested);

}  // namespace dmoe::analysis
