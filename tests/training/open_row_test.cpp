#include "training/open_row.hpp"

#include <chrono>

#include <gtest/gtest.h>

namespace dmoe::training {
namespace {

TEST(OpenRow, has_the_means_of_its_steps) {
  OpenRow row(std::vector<std::vector<Index>>{});
  EXPECT_FALSE(row.has_steps());
  row.add({12.0, 3}, 8, 0.5);
  row.add({6.0, 1}, 4, 0.25);
  EXPECT_TRUE(row.has_steps());
  const LogRow means = row.means();
  EXPECT_DOUBLE_EQ(means.loss, 1.5);
  EXPECT_DOUBLE_EQ(means.error, 1.0 / 3);
  EXPECT_DOUBLE_EQ(means.learning_rate, 0.25);
  EXPECT_GT(means.examples_per_second, 0);
  EXPECT_TRUE(means.layers.empty());
}

TEST(OpenRow, goes_on_with_a_window) {
  OpenRow first({{1, 0, 2}, {}});
  first.add({12.0, 3}, 8, 0.5);
  OpenRow then(first.window());
  then.add({6.0, 1}, 4, 0.25);
  const Window window = then.window();
  EXPECT_DOUBLE_EQ(window.loss, 18);
  EXPECT_EQ(window.errors, 4);
  EXPECT_EQ(window.examples, 12);
  EXPECT_EQ(window.steps, 2);
  EXPECT_DOUBLE_EQ(window.learning_rate, 0.25);
  EXPECT_EQ(window.masked_steps, (std::vector<std::vector<Index>>{{1, 0, 2}, {}}));
}

TEST(OpenRow, counts_the_seconds_of_training_alone) {
  Window hour_before;
  hour_before.seconds = 3600;
  OpenRow row(hour_before);
  EXPECT_GE(row.window().seconds, 3600);
  row.leave_out(std::chrono::hours(1));
  EXPECT_LT(row.window().seconds, 3600);
  row.add({1.0, 0}, 7200, 0.5);
  row.leave_out(std::chrono::hours(-1));
  EXPECT_LE(row.means().examples_per_second, 2);
}

}  // namespace
}  // namespace dmoe::training
