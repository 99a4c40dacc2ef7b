#include "bench/random_dataset.hpp"

#include <algorithm>

#include <gmock/gmock.h>

#include "support/same_bits.hpp"

namespace dmoe::bench {
namespace {

data::Batch presented(const RandomDataset& dataset, const std::vector<Index>& examples,
                      data::Split split = data::Split::train, data::Draw draw = {}) {
  data::Batch batch(8, dataset.input_width(), 1);
  dataset.present(split, examples, draw, batch);
  return batch;
}

TEST(RandomDataset, has_the_sizes_it_was_given) {
  const RandomDataset dataset(20, 6, 3);
  EXPECT_EQ(dataset.input_width(), 6);
  EXPECT_EQ(dataset.class_count(), 3);
  EXPECT_EQ(dataset.example_count(data::Split::train), 20);
  EXPECT_EQ(dataset.example_count(data::Split::validation), 0);
  EXPECT_EQ(dataset.example_count(data::Split::test), 20);
}

TEST(RandomDataset, presents_the_examples_asked_for_in_their_order) {
  const RandomDataset dataset(20, 6, 3);
  const std::vector<Index> examples{17, 0, 5, 17};
  const data::Batch batch = presented(dataset, examples);
  ASSERT_EQ(batch.rows, 4);
  for (Index r = 0; r < batch.rows; ++r) {
    const data::Batch alone = presented(dataset, {examples[size(r)]});
    EXPECT_TRUE(test::same_bits(batch.inputs().row(r), alone.inputs().row(0)));
    EXPECT_EQ(batch.labels()[size(r)], alone.labels()[0]);
  }
  EXPECT_FALSE(test::same_bits(batch.inputs().row(0), batch.inputs().row(1)));
  EXPECT_THAT(batch.factor(0), testing::ElementsAreArray(batch.labels()));
}

TEST(RandomDataset, is_the_same_each_time_in_each_split_for_each_draw) {
  const std::vector<Index> examples{3, 11};
  const data::Batch first = presented(RandomDataset(20, 6, 3), examples);
  const data::Batch second =
      presented(RandomDataset(20, 6, 3), examples, data::Split::test, {Purpose::fixed_transform, 9});
  EXPECT_TRUE(test::same_bits(first.inputs(), second.inputs()));
  EXPECT_THAT(first.labels(), testing::ElementsAreArray(second.labels()));
}

TEST(RandomDataset, is_spread_over_its_range_and_its_classes) {
  const RandomDataset dataset(8, 1000, 3);
  const data::Batch batch = presented(dataset, {0, 1, 2, 3, 4, 5, 6, 7});
  const auto [least, most] = std::ranges::minmax(batch.inputs().values());
  EXPECT_GE(least, -1.0F);
  EXPECT_LT(least, -0.99F);
  EXPECT_LT(most, 1.0F);
  EXPECT_GT(most, 0.99F);
  std::vector<Index> seen(3);
  const RandomDataset many(3000, 1, 3);
  for (Index i = 0; i < 3000; ++i) ++seen.at(size(presented(many, {i}).labels()[0]));
  EXPECT_THAT(seen, testing::Each(testing::AllOf(testing::Gt(900), testing::Lt(1100))));
}

}  // namespace
}  // namespace dmoe::bench
