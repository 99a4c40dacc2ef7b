#include "data/synthetic.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

namespace dmoe::data {
namespace {

/// Sum of absolute differences of pixels.
int difference(std::span<const std::uint8_t> a, std::span<const std::uint8_t> b) {
  int sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += std::abs(int{a[i]} - int{b[i]});
  return sum;
}

TEST(Synthetic, is_set_by_its_seed) {
  SyntheticOptions options;
  const ImageSplits first = synthetic_images(options);
  const ImageSplits same = synthetic_images(options);
  EXPECT_EQ(first.train.pixels, same.train.pixels);
  EXPECT_EQ(first.test.pixels, same.test.pixels);
  options.seed = 2;
  EXPECT_NE(synthetic_images(options).train.pixels, first.train.pixels);
}

TEST(Synthetic, has_the_sizes_asked_for_and_equally_many_of_each_class) {
  SyntheticOptions options;
  options.classes = 6;
  options.train_examples = 60;
  options.test_examples = 18;
  const ImageSplits splits = synthetic_images(options);
  EXPECT_EQ(splits.classes, 6);
  EXPECT_EQ(splits.train.count(), 60);
  EXPECT_EQ(splits.validation.count(), 0);
  EXPECT_EQ(splits.test.count(), 18);
  EXPECT_EQ(splits.train.pixels.size(), 60U * 144U);
  for (std::int32_t label = 0; label < 6; ++label) {
    EXPECT_EQ(std::ranges::count(splits.train.labels, label), 10);
    EXPECT_EQ(std::ranges::count(splits.test.labels, label), 3);
  }
}

TEST(Synthetic, begins_a_longer_set_with_the_shorter_one) {
  SyntheticOptions options;
  options.train_examples = 20;
  const std::vector<std::uint8_t> few = synthetic_images(options).train.pixels;
  options.train_examples = 40;
  const std::vector<std::uint8_t> more = synthetic_images(options).train.pixels;
  EXPECT_TRUE(std::equal(few.begin(), few.end(), more.begin()));
}

TEST(Synthetic, varies_examples_of_a_class_and_repeats_none_in_the_test_set) {
  SyntheticOptions options;
  options.train_examples = 100;
  options.test_examples = 100;
  const ImageSplits splits = synthetic_images(options);
  for (Index i = 0; i < 100; ++i) {
    for (Index j = 0; j < 100; ++j) {
      EXPECT_GT(difference(splits.train.image(i), splits.test.image(j)), 0) << i << ", " << j;
    }
  }
}

TEST(Synthetic, without_noise_is_one_distinct_glyph_per_class) {
  SyntheticOptions options;
  options.noise = 0.0;
  options.train_examples = 3 * options.classes;
  const ImageSet train = synthetic_images(options).train;
  for (Index i = 0; i < train.count(); ++i) {
    const auto [least, most] = std::ranges::minmax(train.image(i));
    EXPECT_EQ(least, 0);
    EXPECT_GT(most, 200);
    for (Index j = 0; j < i; ++j) {
      const bool same_class = i % options.classes == j % options.classes;
      if (same_class) {
        EXPECT_EQ(difference(train.image(i), train.image(j)), 0);
      } else {
        EXPECT_GT(difference(train.image(i), train.image(j)), 1000);
      }
    }
  }
}

TEST(Synthetic, can_be_told_apart_by_the_nearest_glyph) {
  SyntheticOptions options;
  const ImageSet test = synthetic_images(options).test;
  options.noise = 0.0;
  options.train_examples = options.classes;
  const ImageSet glyphs = synthetic_images(options).train;
  Index right = 0;
  for (Index i = 0; i < test.count(); ++i) {
    int nearest = std::numeric_limits<int>::max();
    std::int32_t label = -1;
    for (Index k = 0; k < glyphs.count(); ++k) {
      const int distance = difference(test.image(i), glyphs.image(k));
      if (distance < nearest) label = glyphs.labels[size(k)];
      nearest = std::min(nearest, distance);
    }
    if (label == test.labels[size(i)]) ++right;
  }
  EXPECT_GT(right, test.count() * 9 / 10);
  EXPECT_LT(right, test.count());  // the noise makes it a task
}

}  // namespace
}  // namespace dmoe::data
