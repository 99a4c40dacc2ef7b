#include "balance/none.hpp"

#include <cstdint>
#include <vector>

#include <gtest/gtest.h>

namespace dmoe::balance {
namespace {

TEST(NoneRule, masks_nobody_and_counts_as_lifted) {
  const auto rule = None::make({});
  std::vector<std::uint8_t> mask{1, 1, 1};
  rule->mask(std::vector<Total>{Total{1} << 60, 0, 0}, mask);
  EXPECT_EQ(mask, (std::vector<std::uint8_t>{0, 0, 0}));
  EXPECT_FALSE(rule->is_active());
}

}  // namespace
}  // namespace dmoe::balance
