#include "console/wording.hpp"

#include <gtest/gtest.h>

namespace dmoe::console {
namespace {

TEST(Wording, groups_digits_by_three) {
  EXPECT_EQ(grouped(0), "0");
  EXPECT_EQ(grouped(999), "999");
  EXPECT_EQ(grouped(1000), "1,000");
  EXPECT_EQ(grouped(123456), "123,456");
  EXPECT_EQ(grouped(1234567), "1,234,567");
  EXPECT_EQ(grouped(-123456), "-123,456");
}

TEST(Wording, says_durations_in_two_units) {
  EXPECT_EQ(duration(0.4), "0 s");
  EXPECT_EQ(duration(59.6), "1 min 0 s");
  EXPECT_EQ(duration(3599), "59 min 59 s");
  EXPECT_EQ(duration(3600), "1 h 0 min");
  EXPECT_EQ(duration(4e6), "1,111 h 6 min");
}

TEST(Wording, says_scores_networks_and_counts) {
  EXPECT_EQ(score_text({0.05125, 0.01524}), "1.52 % (loss 0.0512)");
  EXPECT_EQ(network_text({{4, 100, 50}, {16, 20, 20}}), "4x100 - 16x20");
  EXPECT_EQ(counted(1, "rank"), "1 rank");
  EXPECT_EQ(counted(1200, "epoch"), "1,200 epochs");
}

TEST(OneLine, shows_control_characters_and_leaves_the_rest) {
  EXPECT_EQ(one_line("run.h5: 'Gr\u00fc\u00dfe'"), "run.h5: 'Gr\u00fc\u00dfe'");
  EXPECT_EQ(one_line(std::string("a\nb\x1b[2J\x7f\0", 9)), "a\\x0ab\\x1b[2J\\x7f\\x00");
}

TEST(OneLine, shows_what_turns_the_direction_of_text) {
  EXPECT_EQ(one_line("a\u202eb\u2066c\u2069"), "a\\u202eb\\u2066c\\u2069");
  EXPECT_EQ(one_line("\u2029\u202f\u2065\u206a \u05d0"), "\u2029\u202f\u2065\u206a \u05d0");
}

TEST(OneLine, keeps_beginning_and_end_of_what_is_too_long) {
  const std::string longest(2000, 'x');
  EXPECT_EQ(one_line(longest), longest);
  EXPECT_EQ(one_line("a" + longest + "z"),
            "a" + std::string(999, 'x') + " .. " + std::string(999, 'x') + "z");
  std::string umlauts;
  for (int i = 0; i < 2000; ++i) umlauts += "\u00fc";
  EXPECT_EQ(one_line("a" + umlauts), "a" + umlauts.substr(0, 998) + " .. " + umlauts.substr(0, 1000));
}

}  // namespace
}  // namespace dmoe::console
