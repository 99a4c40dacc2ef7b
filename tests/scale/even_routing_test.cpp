#include "scale/even_routing.hpp"

#include <gtest/gtest.h>

namespace dmoe::scale {
namespace {

TEST(ShareOfRows, is_that_of_drawing_without_putting_back) {
  EXPECT_DOUBLE_EQ(share_of_rows(4, 1, 3), 3.0 / 4);
  EXPECT_DOUBLE_EQ(share_of_rows(4, 2, 1), 1.0 / 2);
  EXPECT_DOUBLE_EQ(share_of_rows(4, 2, 2), 1 - 1.0 / 6);  // one of the 6 pairs is the other two
  EXPECT_DOUBLE_EQ(share_of_rows(4, 3, 2), 1);
  EXPECT_DOUBLE_EQ(share_of_rows(4, 4, 0), 0);
}

TEST(BusiestChoices, is_the_median_of_the_largest) {
  // Of two tosses: none with 1/4, one with 1/2, two with 1/4.
  EXPECT_EQ(busiest_choices(2, 1, 1, 2, 1), 1);
  EXPECT_EQ(busiest_choices(2, 1, 1, 2, 2), 1);  // (3/4)^2 > 1/2
  EXPECT_EQ(busiest_choices(2, 1, 1, 2, 4), 2);  // (3/4)^4 < 1/2
  EXPECT_EQ(busiest_choices(10, 2, 4, 4, 1), 20);
  EXPECT_EQ(busiest_choices(10, 2, 0, 4, 3), 0);
}

TEST(BusiestChoices, is_no_more_than_a_row_can_choose) {
  EXPECT_EQ(busiest_choices(3, 8, 1, 16, 1'000'000), 3);
}

TEST(BusiestChoices, comes_to_the_normal_law_where_there_are_many) {
  // Mean 4096, deviation 61.97; the median of the largest of 16 is 1.7245 deviations above.
  EXPECT_NEAR(busiest_choices(32'768, 2, 64, 1024, 16), 4096 + 1.7245 * 61.97, 3);
}

TEST(BlockRows, count_once_for_each_block_that_a_row_has_a_choice_in) {
  const exchange::Topology seven(7, 3);  // ranks own [0 1], [2 3], [4 5 6]
  EXPECT_DOUBLE_EQ(block_rows(seven, 0, 10, 1), 10 * 2.0 / 7);
  EXPECT_DOUBLE_EQ(block_rows(seven, 2, 10, 1), 10 * 3.0 / 7);
  const exchange::Topology five(5, 2);  // [0 1], and [2 3], [4]
  EXPECT_DOUBLE_EQ(block_rows(five, 1, 10, 2), 10 * (1 - 3.0 / 10) + 10 * 2.0 / 5);
}

}  // namespace
}  // namespace dmoe::scale
