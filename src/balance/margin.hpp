// The paper's balancing rule: expert i is masked while G_i - mean(G) > m.
#pragma once

#include <memory>
#include <vector>

#include "balance/rule.hpp"

namespace dmoe::balance {

class Margin : public Rule {
 public:
  /// margin: how far the total of an expert may lie above the mean of its layer [examples].
  static std::vector<SettingSpec> settings();
  static std::unique_ptr<Rule> make(const Settings& settings);

  explicit Margin(double margin_examples);

  /// Decided in integers, N G_i - sum(G) > N m 2^24, so that every rank and every CPU decides alike. All
  /// experts can never be masked, since min G <= mean G.
  void mask(std::span<const Total> totals, std::span<std::uint8_t> masked) const override;

 private:
  Total margin_;
};

}  // namespace dmoe::balance
