// Every example's gates in every layer, and its factors: what all of an analysis is computed from.
#pragma once

#include <optional>
#include <vector>

#include "data/dataset.hpp"
#include "distribution/network.hpp"
#include "training/evaluation.hpp"

namespace dmoe::analysis {

struct Assignments {
  std::vector<Matrix> gates;                      // of each layer (X, N), X examples; N = 0 without a gate
  std::vector<data::Factor> factors;              // those of the data set
  std::vector<std::vector<std::int32_t>> levels;  // of each factor (X): flat, last axis fastest
};

/// Runs the network over a split, no expert masked. The result is on the coordinator (empty elsewhere);
/// nothing where it was stopped half way, on all ranks alike. Collective over the network's ranks.
std::optional<Assignments> collect(distribution::Network& network, const data::Dataset& dataset,
                                   const training::Pass& pass, const training::StopRequested& stop_requested);

}  // namespace dmoe::analysis
