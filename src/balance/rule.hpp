// The extension point of balancing: totals in, mask out.
#pragma once

#include <cstdint>
#include <span>

#include "balance/totals.hpp"
#include "core/registry.hpp"

namespace dmoe::balance {

/// Decides before every step, for one layer, which experts get no examples in it.
class Rule {
 public:
  Rule() = default;
  virtual ~Rule() = default;
  Rule(const Rule&) = delete;
  Rule& operator=(const Rule&) = delete;

  /// False for a rule that never masks: a phase with such a rule counts as one with the rule lifted.
  virtual bool is_active() const { return true; }

  /// Sets masked[i], i = 0 .. N-1, to 1 where expert i is left out of the coming step and to 0 elsewhere,
  /// from the totals (N) since the rule was switched on. At least one expert must stay; otherwise the trainer
  /// stops with an error. A pure function of the totals, the same on every rank. Local.
  virtual void mask(std::span<const Total> totals, std::span<std::uint8_t> masked) const = 0;
};

using RuleRegistry = Registry<Rule>;

/// Every rule that balance.rule can select. A program of your own adds to it before app::run. Local.
RuleRegistry& rules();

}  // namespace dmoe::balance
