#include <gmock/gmock.h>

#include "balance/rule.hpp"

namespace dmoe::balance {
namespace {

TEST(Rules, are_margin_and_none) {
  EXPECT_EQ(rules().names(), "margin, none");
  EXPECT_TRUE(rules().find("margin").make(defaults(rules().find("margin").settings))->is_active());
  EXPECT_FALSE(rules().find("none").make(defaults(rules().find("none").settings))->is_active());
}

TEST(Rules, tell_the_known_ones_where_a_name_is_unknown) {
  try {
    rules().find("auction");
    FAIL() << "auction was found";
  } catch (const InputError& error) {
    EXPECT_STREQ(error.what(), "unknown balancing rule 'auction'; known: margin, none");
  }
}

}  // namespace
}  // namespace dmoe::balance
