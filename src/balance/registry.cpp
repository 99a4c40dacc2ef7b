// The table of balancing rules: a new rule is one file pair, its test and one line here.
#include "balance/margin.hpp"
#include "balance/none.hpp"
#include "balance/rule.hpp"

namespace dmoe::balance {

RuleRegistry& rules() {
  static RuleRegistry table(
      "balancing rule", {
                            {"margin", "masks experts whose total exceeds the mean by a margin (the paper's)",
                             Margin::settings(), Margin::make},
                            {"none", "never masks: the constraint lifted", {}, None::make},
                        });
  return table;
}

}  // namespace dmoe::balance
