#include "exchange/homes.hpp"

#include <gtest/gtest.h>

#include "core/error.hpp"

namespace dmoe::exchange {
namespace {

TEST(Gating, has_names) {
  EXPECT_EQ(to_text(Gating::coordinator), "coordinator");
  EXPECT_EQ(gating_named("rows"), Gating::rows);
  EXPECT_THROW(gating_named("columns"), InputError);
  EXPECT_EQ(gating_names().size(), 2U);
}

TEST(SlicesAtHome, are_all_the_coordinators_or_dealt_in_order) {
  EXPECT_EQ(slices_at_home(Gating::coordinator, 5, 3, 0).count, 5);
  EXPECT_EQ(slices_at_home(Gating::coordinator, 5, 3, 2).count, 0);
  Index next = 0;
  for (const Index rank : {0, 1, 2}) {
    const SliceRange own = slices_at_home(Gating::rows, 5, 3, rank);
    EXPECT_EQ(own.first, next);
    EXPECT_GT(own.count, 0);
    next += own.count;
  }
  EXPECT_EQ(next, 5);
}

}  // namespace
}  // namespace dmoe::exchange
