// Which expert gets which rows in a training: of every layer the totals, the rule and the routing of the
// phase, and the mask of the coming step.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "balance/balancer.hpp"
#include "distribution/assignment.hpp"
#include "distribution/network.hpp"
#include "training/observer.hpp"
#include "training/routings.hpp"
#include "training/spec.hpp"

namespace dmoe::training {

/// In every step: a forward pass under masks(), start(), finish(); then masks() are those of the next. The
/// same on every rank.
class Balancing {
 public:
  /// (N_l) of every layer: in how many steps each expert was masked.
  using MaskedSteps = std::vector<std::vector<Index>>;

  /// The network must outlive it. Throws InputError for rules and routings that there are not. Local.
  Balancing(const std::vector<PhaseSpec>& phases, distribution::Network& network);
  Balancing(const Balancing&) = delete;
  Balancing& operator=(const Balancing&) = delete;

  /// Puts the rule and the routings of a phase in force. Local.
  void begin_phase(Index phase);
  /// (N_l) of every layer: 1 where an expert is left out of the coming step. Local.
  const distribution::Masks& masks() const { return masks_; }
  /// Starts to sum what the last forward pass assigned, and takes along what this rank requests. Collective
  /// over all replicas.
  void start(const distribution::StepRequests& mine) { reduction_.start(mine); }
  /// Waits for the sums, adds them to the totals, and masks for the next step. Throws InputError where a rule
  /// masks every expert. Collective over all replicas.
  void finish();
  /// What any rank requested with the last step. Local.
  distribution::StepRequests requests() const { return reduction_.requests(); }

  /// Of layer = 0 .. L-1. Local.
  const balance::Balancer& of(Index layer) const { return balancers_[size(layer)]; }
  /// Of all phases up to now. Local.
  MaskedSteps masked_steps() const;
  /// The totals of every layer, and in which fraction of the last `steps` steps, that began at `before`, each
  /// expert was masked. Local.
  std::vector<AssignmentRow> rows(const MaskedSteps& before, Index steps) const;

  /// What later starts need, of every layer. Local.
  std::vector<balance::Balancer::State> state() const;
  /// Goes on from there in a phase that had begun. Local.
  void restore(std::vector<balance::Balancer::State> state, Index phase);

 private:
  distribution::Network& network_;
  distribution::AssignmentReduction reduction_;
  std::vector<balance::Balancer> balancers_;           // one a layer
  distribution::Masks masks_;                          // views of the balancers' masks
  std::vector<std::unique_ptr<balance::Rule>> rules_;  // one a phase
  std::vector<Routings> routings_;                     // one a phase
};

}  // namespace dmoe::training
