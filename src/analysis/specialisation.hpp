// What each expert stands for: its mean gate output at every level of a factor (paper, figure 2), the mutual
// information between the choice of an expert and the factor, and how evenly and how firmly a layer chooses.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "analysis/assignments.hpp"
#include "analysis/mutual_information.hpp"
#include "comm/communicator.hpp"

namespace dmoe::analysis {

/// How often chance is asked what it makes of a statistic.
struct Permutations {
  Index count = 200;  // R
  std::uint64_t seed = 0;
};

/// Information between expert and factor, beside what is left of it when the factor's levels are shuffled
/// over the examples, R times: one by one, or in whole groups where the data set has groups.
struct TestedInformation {
  Information observed;
  std::vector<Information> null;  // (R)
  /// One-sided p-value of a permutation test: (1 + how many of null reach the observed) / (1 + R). Local.
  double p_value() const;
};

/// One layer against one factor of F levels.
struct FactorMap {
  std::string factor;              // "class", "translation"
  std::vector<Index> levels;       // sizes of its axes, F in all
  std::vector<std::string> axes;   // their names
  std::vector<std::string> names;  // of the F levels, where they have names
  std::vector<double> mean_gate;   // (N, F): over the examples of a level; NaN where there are none
  TestedInformation soft;          // of p(e, f) = mean over the examples x of g_e(x) [f(x) = f]
  TestedInformation hard;  // the same with the largest gate (the first of equals) counted as 1, others as 0
};

/// Of a layer without a gate all of it is empty.
struct LayerSpecialisation {
  std::vector<double> mean_gate;   // (N), over all examples
  Information balance;             // entropy of mean_gate: log N where all experts are used alike
  Information openness;            // mean over the examples of the entropy of their gates: 0 where one is 1
  std::vector<FactorMap> factors;  // in the order of the data set's
  /// An expert whose mean gate is below this share of 1/N is dead.
  static constexpr double dead_share = 0.01;
  bool is_dead(std::size_t expert) const;
  bool is_empty() const { return mean_gate.empty(); }
};

/// Which example's levels each of `examples` gets in shuffle number `index` of a seed, where groups of them
/// begin at `groups`. A group gets the levels of another, from a random place on and over again while they
/// last: what belongs together stays together, or the examples of an utterance would count as so many
/// independent draws. Groups of one are a plain permutation. Local.
std::vector<Index> shuffled_groups(const std::vector<Index>& groups, Index examples, std::uint64_t seed,
                                   std::uint64_t index);

/// All layers against all factors. A factor is shuffled in the same ways for all layers. The assignments are
/// the same on every rank; shuffles and examples are dealt to the ranks, whose number changes no bit. The
/// result is on the coordinator (empty elsewhere). Throws on all ranks. Collective.
std::vector<LayerSpecialisation> specialisation(const Assignments& assignments,
                                                const Permutations& permutations,
                                                const comm::Communicator& ranks);

}  // namespace dmoe::analysis
