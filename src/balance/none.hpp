// No balancing: the fine-tuning phase of the paper, and the negative control.
#pragma once

#include <algorithm>
#include <memory>

#include "balance/rule.hpp"

namespace dmoe::balance {

class None : public Rule {
 public:
  static std::unique_ptr<Rule> make(const Settings& /*settings*/) { return std::make_unique<None>(); }
  bool is_active() const override { return false; }
  void mask(std::span<const Total> /*totals*/, std::span<std::uint8_t> masked) const override {
    std::fill(masked.begin(), masked.end(), std::uint8_t{0});
  }
};

}  // namespace dmoe::balance
