#include "core/types.hpp"

#include <cstdint>
#include <limits>
#include <stdexcept>

#include <gtest/gtest.h>

namespace dmoe {
namespace {

TEST(Narrow, keeps_every_value_that_fits) {
  EXPECT_EQ(narrow<int>(Index{std::numeric_limits<int>::max()}), std::numeric_limits<int>::max());
  EXPECT_EQ(narrow<int>(Index{std::numeric_limits<int>::min()}), std::numeric_limits<int>::min());
  EXPECT_EQ(narrow<std::uint8_t>(Index{255}), 255);
}

TEST(Narrow, refuses_one_past_either_end) {
  EXPECT_THROW(narrow<int>(Index{std::numeric_limits<int>::max()} + 1), std::range_error);
  EXPECT_THROW(narrow<int>(Index{std::numeric_limits<int>::min()} - 1), std::range_error);
}

TEST(Narrow, refuses_a_change_of_sign_that_keeps_the_bits) {
  EXPECT_THROW(narrow<std::uint64_t>(Index{-1}), std::range_error);
  EXPECT_THROW(narrow<Index>(std::numeric_limits<std::uint64_t>::max()), std::range_error);
}

}  // namespace
}  // namespace dmoe
