// How the experts of consecutive layers work together: joint assignment and the examples each combination
// speaks loudest for (paper, figures 3 and 5).
#pragma once

#include <vector>

#include "analysis/assignments.hpp"
#include "comm/communicator.hpp"

namespace dmoe::analysis {

/// For each of M combinations of experts the n examples with the largest product of gates, ties to the lower
/// index.
struct TopExamples {
  Index wanted = 0;                 // n
  std::vector<std::int64_t> index;  // (M, n): example, or -1 where the split has fewer
  std::vector<float> gate;          // (M, n): the product of gates; 0 where missing
  std::vector<float> input;         // (M, n, D): as presented; 0 where missing
};

/// The experts of one layer with those of the next.
struct Pair {
  Index experts = 0;               // N of the lower layer
  Index next_experts = 0;          // N' of the upper
  std::vector<double> joint;       // (N, N'): mean over the examples of g_i g'_j
  std::vector<double> joint_rows;  // (N, N'): each row over its sum; NaN where that is 0
  TopExamples top;                 // M = N N'
  Index next_layer = 0;            // the upper, from 0
};

/// Of the gates (X, N) and (X, N') of two layers, collected in `pass`; which they are is for the caller to
/// say. They are the same on every rank; experts of the lower layer are dealt to the ranks, whose number
/// changes no bit. The top examples are whole on the coordinator, without inputs elsewhere. Throws InputError
/// on all ranks where these would be too many. Collective.
Pair pair_of(const Gates& gates, const Gates& next_gates, const data::Dataset& dataset,
             const training::Pass& pass, Index top, const comm::Communicator& ranks);

/// The same for the experts of a single layer, M = N. Collective.
TopExamples top_examples(const Gates& gates, const data::Dataset& dataset, const training::Pass& pass,
                         Index top, const comm::Communicator& ranks);

}  // namespace dmoe::analysis
