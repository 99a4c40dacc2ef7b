// The balancing state of one layer over a run: its totals, the rule in force, and the mask of the coming
// step.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "balance/rule.hpp"
#include "core/types.hpp"

namespace dmoe::balance {

/// Two sets of totals are kept: the stored ones run over all phases (what is reported), the rule's start at 0
/// whenever a phase switches a rule on after it was off. Invariant: at least one expert is not masked,
/// unless there is none (a layer without a gate has nothing to balance). The same on every rank.
class Balancer {
 public:
  /// What a later start needs; its rule comes with the phase.
  struct State {
    std::vector<Total> totals;        // (N) over all phases
    std::vector<Total> rule_totals;   // (N) since the rule was switched on
    std::vector<Index> masked_steps;  // (N) in how many steps each expert was masked, over all phases
  };

  explicit Balancer(Index experts);

  /// Puts a rule in force for the coming steps; `rule` must outlive them. Local.
  void begin_phase(const Rule& rule);
  /// Goes on from a state of as many experts, under the rule that was in force; `rule` must outlive the steps
  /// to come. Local.
  void restore(State state, const Rule& rule);
  /// Adds the examples (N, in units of a total) that one step assigned, and masks for the next. Throws
  /// InputError where the rule masks every expert. Local.
  void add(std::span<const Total> assigned);

  /// (N): 1 where an expert is left out of the coming step.
  std::span<const std::uint8_t> masked() const { return masked_; }
  /// (N): totals over all phases.
  std::span<const Total> totals() const { return state_.totals; }
  /// (N): totals since the rule was switched on.
  std::span<const Total> rule_totals() const { return state_.rule_totals; }
  /// (N): in how many steps each expert was masked, over all phases.
  std::span<const Index> masked_steps() const { return state_.masked_steps; }
  const State& state() const { return state_; }

 private:
  void apply_rule();
  const Rule* rule_ = nullptr;
  State state_;
  std::vector<std::uint8_t> masked_;
};

}  // namespace dmoe::balance
