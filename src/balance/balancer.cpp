#include "balance/balancer.hpp"

#include <algorithm>
#include <cassert>

#include "core/error.hpp"

namespace dmoe::balance {

Balancer::Balancer(Index experts)
    : totals_(size(experts)),
      rule_totals_(size(experts)),
      masked_(size(experts)),
      masked_steps_(size(experts)) {}

void Balancer::begin_phase(const Rule& rule) {
  const bool was_active = rule_ != nullptr && rule_->is_active();
  if (rule.is_active() && !was_active) std::fill(rule_totals_.begin(), rule_totals_.end(), Total{0});
  rule_ = &rule;
  apply_rule();
}

void Balancer::add(std::span<const Total> assigned) {
  assert(rule_ != nullptr && assigned.size() == totals_.size());
  for (std::size_t i = 0; i < totals_.size(); ++i) {
    totals_[i] += assigned[i];
    if (rule_->is_active()) rule_totals_[i] += assigned[i];
    masked_steps_[i] += masked_[i];
  }
  apply_rule();
}

void Balancer::apply_rule() {
  if (masked_.empty()) return;
  rule_->mask(rule_totals_, masked_);
  if (std::all_of(masked_.begin(), masked_.end(), [](std::uint8_t is_masked) { return is_masked != 0; })) {
    throw InputError("the balancing rule masks all {} experts of a layer; one must stay", masked_.size());
  }
}

}  // namespace dmoe::balance
