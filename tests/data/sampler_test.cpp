#include "data/sampler.hpp"

#include <algorithm>
#include <numeric>
#include <vector>

#include <gtest/gtest.h>

#include "core/error.hpp"

namespace dmoe::data {
namespace {

std::vector<Index> epoch_order(EpochSampler& sampler, Index epoch) {
  std::vector<Index> order;
  const Index steps = sampler.steps_per_epoch();
  for (Index step = epoch * steps; step < (epoch + 1) * steps; ++step) {
    const auto examples = sampler.examples(step);
    order.insert(order.end(), examples.begin(), examples.end());
  }
  return order;
}

TEST(EpochSampler, presents_every_example_once_an_epoch_in_a_new_order) {
  EpochSampler sampler(103, 10, 5);
  const std::vector<Index> first = epoch_order(sampler, 0);
  const std::vector<Index> second = epoch_order(sampler, 1);
  EXPECT_NE(first, second);
  std::vector<Index> everything(103);
  std::iota(everything.begin(), everything.end(), Index{0});
  EXPECT_TRUE(std::ranges::is_permutation(first, everything));
  EXPECT_TRUE(std::ranges::is_permutation(second, everything));
  EXPECT_NE(first, everything);
}

TEST(EpochSampler, is_a_pure_function_of_seed_and_step) {
  EpochSampler forward(103, 10, 5);
  EpochSampler backward(103, 10, 5);
  std::vector<std::vector<Index>> seen;
  for (Index step = 0; step < 33; ++step) {
    const auto examples = forward.examples(step);
    seen.emplace_back(examples.begin(), examples.end());
  }
  for (Index step = 32; step >= 0; --step) {
    EXPECT_TRUE(std::ranges::equal(backward.examples(step), seen[size(step)])) << "step " << step;
  }
  EpochSampler other(103, 10, 6);
  EXPECT_NE(epoch_order(other, 0), epoch_order(forward, 0));
}

TEST(EpochSampler, ends_an_epoch_with_a_smaller_batch_where_it_does_not_divide) {
  EpochSampler sampler(103, 10, 5);
  EXPECT_EQ(sampler.steps_per_epoch(), 11);
  for (Index step = 0; step < 22; ++step) {
    EXPECT_EQ(sampler.examples(step).size(), step % 11 == 10 ? 3U : 10U) << "step " << step;
  }
}

TEST(EpochSampler, has_equal_batches_where_it_divides) {
  EpochSampler sampler(100, 10, 5);
  EXPECT_EQ(sampler.steps_per_epoch(), 10);
  EXPECT_EQ(sampler.examples(9).size(), 10U);
  EXPECT_EQ(sampler.examples(10).size(), 10U);
}

TEST(EpochSampler, has_one_batch_where_the_batch_is_larger_than_the_set) {
  EpochSampler sampler(7, 100, 5);
  EXPECT_EQ(sampler.steps_per_epoch(), 1);
  EXPECT_EQ(sampler.examples(3).size(), 7U);
}

TEST(EpochSampler, numbers_presentations_without_gap_over_epochs) {
  EpochSampler sampler(103, 10, 5);
  Index presented = 0;
  for (Index step = 0; step < 40; ++step) {
    EXPECT_EQ(sampler.first_presentation(step), presented) << "step " << step;
    presented += static_cast<Index>(sampler.examples(step).size());
  }
}

TEST(EpochSampler, needs_examples_and_a_batch) {
  EXPECT_THROW(EpochSampler(0, 10, 5), InputError);
  EXPECT_THROW(EpochSampler(10, 0, 5), InputError);
}

}  // namespace
}  // namespace dmoe::data
