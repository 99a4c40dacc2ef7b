#include "balance/balancer.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

#include "core/error.hpp"

namespace dmoe::balance {

Balancer::Balancer(Index experts)
    : state_{std::vector<Total>(size(experts)), std::vector<Total>(size(experts)),
             std::vector<Index>(size(experts))},
      masked_(size(experts)) {}

void Balancer::begin_phase(const Rule& rule) {
  const bool was_active = rule_ != nullptr && rule_->is_active();
  if (rule.is_active() && !was_active) {
    std::fill(state_.rule_totals.begin(), state_.rule_totals.end(), Total{0});
  }
  rule_ = &rule;
  apply_rule();
}

void Balancer::restore(State state, const Rule& rule) {
  assert(state.totals.size() == masked_.size() && state.rule_totals.size() == masked_.size() &&
         state.masked_steps.size() == masked_.size());
  state_ = std::move(state);
  rule_ = &rule;
  apply_rule();
}

void Balancer::add(std::span<const Total> assigned) {
  assert(rule_ != nullptr && assigned.size() == masked_.size());
  for (std::size_t i = 0; i < masked_.size(); ++i) {
    state_.totals[i] += assigned[i];
    if (rule_->is_active()) state_.rule_totals[i] += assigned[i];
    state_.masked_steps[i] += masked_[i];
  }
  apply_rule();
}

void Balancer::apply_rule() {
  if (masked_.empty()) return;
  rule_->mask(state_.rule_totals, masked_);
  if (std::all_of(masked_.begin(), masked_.end(), [](std::uint8_t is_masked) { return is_masked != 0; })) {
    throw InputError("the balancing rule masks all {} experts of a layer; one must stay", masked_.size());
  }
}

}  // namespace dmoe::balance
