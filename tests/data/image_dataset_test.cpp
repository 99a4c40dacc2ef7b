#include "data/image_dataset.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <numeric>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace dmoe::data {
namespace {

constexpr Index height = 3;
constexpr Index width = 4;

ImageSet noise_images(Index count, std::uint64_t seed, Index rows = height, Index columns = width) {
  ImageSet set{rows, columns, {}, {}};
  for (Index i = 0; i < count; ++i) {
    RandomStream random(seed, Purpose::test, static_cast<std::uint64_t>(i));
    for (Index p = 0; p < rows * columns; ++p) set.pixels.push_back(narrow<std::uint8_t>(random.below(256)));
    set.labels.push_back(narrow<std::int32_t>(random.below(5)));
  }
  return set;
}

/// 20 training, 6 validation, 8 test images of 5 classes.
ImageSplits splits() {
  return {5, noise_images(20, 1), noise_images(6, 2), noise_images(8, 3)};
}

std::vector<Index> all(Index count) {
  std::vector<Index> examples(size(count));
  std::iota(examples.begin(), examples.end(), Index{0});
  return examples;
}

Batch batch_for(const Dataset& dataset, Index capacity) {
  return {capacity, dataset.input_width(), dataset.factors().size()};
}

std::vector<float> inputs_of(const Dataset& dataset, Split split, Draw draw = {}) {
  const std::vector<Index> examples = all(dataset.example_count(split));
  Batch batch = batch_for(dataset, dataset.example_count(split));
  dataset.present(split, examples, draw, batch);
  const auto values = batch.inputs().values();
  return {values.begin(), values.end()};
}

/// The paper's jitter by its definition, pixel by pixel: what stands at (y, x) of a canvas.
float reference(const ImageSet& set, Index example, Index row, Index column, Index y, Index x) {
  const Index from_y = y - row;
  const Index from_x = x - column;
  if (from_y < 0 || from_y >= set.height || from_x < 0 || from_x >= set.width) return 0.0F;
  return static_cast<float>(set.pixels[size((example * set.height + from_y) * set.width + from_x)]) / 255.0F;
}

/// Compares a batch with the definition; `stream_of` tells the stream of a row.
void expect_jittered(const ImageDataset& dataset, Split split, const ImageSet& set,
                     const std::vector<Index>& examples, Draw draw, Index t,
                     const std::function<RandomStream(Index row)>& stream_of) {
  Batch batch = batch_for(dataset, static_cast<Index>(examples.size()) + 2);
  std::ranges::fill(batch.inputs().values(), -1.0F);
  batch.rows = batch.capacity();
  std::ranges::fill(batch.inputs().values(), -1.0F);
  dataset.present(split, examples, draw, batch);
  ASSERT_EQ(batch.rows, static_cast<Index>(examples.size()));
  for (Index r = 0; r < batch.rows; ++r) {
    RandomStream random = stream_of(r);
    const Index row = random.below(2 * t + 1);
    const Index column = random.below(2 * t + 1);
    EXPECT_EQ(batch.factor(1)[size(r)], row * (2 * t + 1) + column);
    EXPECT_EQ(batch.factor(0)[size(r)], set.labels[size(examples[size(r)])]);
    EXPECT_EQ(batch.labels()[size(r)], set.labels[size(examples[size(r)])]);
    for (Index y = 0; y < set.height + 2 * t; ++y) {
      for (Index x = 0; x < set.width + 2 * t; ++x) {
        EXPECT_EQ(batch.inputs()(r, y * (set.width + 2 * t) + x),
                  reference(set, examples[size(r)], row, column, y, x));
      }
    }
  }
}

TEST(ImageDataset, knows_its_sizes_and_factors) {
  const ImageDataset dataset(splits(), {.max_translation = 2, .train_seed = 0, .test_seed = 1});
  EXPECT_EQ(dataset.input_width(), (height + 4) * (width + 4));
  EXPECT_EQ(dataset.class_count(), 5);
  EXPECT_EQ(dataset.example_count(Split::train), 20);
  EXPECT_EQ(dataset.example_count(Split::validation), 6);
  EXPECT_EQ(dataset.example_count(Split::test), 8);
  ASSERT_EQ(dataset.factors().size(), 2U);
  EXPECT_EQ(dataset.factors()[0].name, "class");
  EXPECT_EQ(dataset.factors()[0].levels, std::vector<Index>{5});
  EXPECT_EQ(dataset.factors()[1].name, "translation");
  EXPECT_EQ(dataset.factors()[1].levels, (std::vector<Index>{5, 5}));
  EXPECT_EQ(dataset.factors()[1].level_count(), 25);
  EXPECT_EQ(dataset.factors()[1].axes, (std::vector<std::string>{"row_translation", "column_translation"}));
}

TEST(ImageDataset, without_translation_presents_the_images_as_they_are) {
  const ImageDataset dataset(splits(), {.max_translation = 0, .train_seed = 0, .test_seed = 1});
  ASSERT_EQ(dataset.factors().size(), 1U);
  const std::vector<float> inputs = inputs_of(dataset, Split::train);
  const ImageSet& set = dataset.splits().train;
  ASSERT_EQ(inputs.size(), set.pixels.size());
  for (std::size_t i = 0; i < inputs.size(); ++i)
    EXPECT_EQ(inputs[i], static_cast<float>(set.pixels[i]) / 255.0F);
}

TEST(ImageDataset, training_translations_follow_seed_and_presentation) {
  const ImageSplits source = splits();
  const ImageDataset dataset(splits(), {.max_translation = 2, .train_seed = 9, .test_seed = 1});
  const Draw draw{Purpose::train_transform, 1000};
  expect_jittered(dataset, Split::train, source.train, {3, 3, 19, 0, 7}, draw, 2, [](Index row) {
    return RandomStream(9, Purpose::train_transform, 1000 + static_cast<std::uint64_t>(row));
  });
  const Draw evaluation{Purpose::evaluation_transform, 5};
  expect_jittered(dataset, Split::train, source.train, {4, 2}, evaluation, 2, [](Index row) {
    return RandomStream(9, Purpose::evaluation_transform, 5 + static_cast<std::uint64_t>(row));
  });
}

TEST(ImageDataset, presents_images_of_any_shape) {
  for (const auto& [rows, columns] : {std::pair<Index, Index>{28, 28}, {90, 100}, {3, 1500}}) {
    const ImageSplits source{5, noise_images(4, 1, rows, columns), {}, noise_images(2, 3, rows, columns)};
    const ImageDataset dataset(source, {.max_translation = 2, .train_seed = 9, .test_seed = 1});
    expect_jittered(dataset, Split::train, source.train, {3, 1, 2, 0, 1}, {Purpose::train_transform, 7}, 2,
                    [](Index row) {
                      return RandomStream(9, Purpose::train_transform, 7 + static_cast<std::uint64_t>(row));
                    });
  }
}

TEST(ImageDataset, test_and_validation_translations_follow_the_example) {
  const ImageSplits source = splits();
  const ImageDataset dataset(splits(), {.max_translation = 3, .train_seed = 9, .test_seed = 4});
  const std::vector<Index> examples{5, 0, 3};
  expect_jittered(dataset, Split::test, source.test, examples, {}, 3, [&](Index row) {
    return RandomStream(4, Purpose::fixed_transform, static_cast<std::uint64_t>(examples[size(row)]));
  });
  expect_jittered(dataset, Split::validation, source.validation, examples, {}, 3, [&](Index row) {
    return RandomStream(4, Purpose::validation_transform, static_cast<std::uint64_t>(examples[size(row)]));
  });
}

TEST(ImageDataset, only_training_depends_on_seed_and_draw) {
  const ImageDataset one(splits(), {.max_translation = 3, .train_seed = 1, .test_seed = 4});
  const ImageDataset two(splits(), {.max_translation = 3, .train_seed = 2, .test_seed = 4});
  const ImageDataset other_test(splits(), {.max_translation = 3, .train_seed = 1, .test_seed = 5});
  const Draw later{Purpose::train_transform, 77};
  for (const Split split : {Split::validation, Split::test}) {
    EXPECT_EQ(inputs_of(one, split), inputs_of(two, split));
    EXPECT_EQ(inputs_of(one, split), inputs_of(one, split, later));
    EXPECT_NE(inputs_of(one, split), inputs_of(other_test, split));
  }
  EXPECT_EQ(inputs_of(one, Split::train), inputs_of(other_test, Split::train));
  EXPECT_NE(inputs_of(one, Split::train), inputs_of(two, Split::train));
  EXPECT_NE(inputs_of(one, Split::train), inputs_of(one, Split::train, later));
}

TEST(ImageDataset, batches_cut_elsewhere_present_the_same) {
  const ImageDataset dataset(splits(), {.max_translation = 2, .train_seed = 9, .test_seed = 1});
  Batch whole = batch_for(dataset, 10);
  Batch part = batch_for(dataset, 10);
  const std::vector<Index> examples = all(10);
  dataset.present(Split::train, examples, {Purpose::train_transform, 40}, whole);
  dataset.present(Split::train, std::span(examples).subspan(6), {Purpose::train_transform, 46}, part);
  ASSERT_EQ(part.rows, 4);
  EXPECT_TRUE(std::ranges::equal(part.inputs().values(), whole.inputs().rows_from(6, 4).values()));
}

TEST(ImageDataset, translations_are_uniform) {
  const ImageDataset dataset(splits(), {.max_translation = 4, .train_seed = 9, .test_seed = 1});
  constexpr Index draws = 81 * 200;
  std::vector<int> counts(81, 0);
  Batch batch = batch_for(dataset, 100);
  const std::vector<Index> examples(100, 0);
  for (Index first = 0; first < draws; first += 100) {
    dataset.present(Split::train, examples, {Purpose::train_transform, static_cast<std::uint64_t>(first)},
                    batch);
    for (const std::int32_t level : batch.factor(1)) ++counts.at(size(level));
  }
  double chi_square = 0.0;
  for (const int count : counts) chi_square += (count - 200.0) * (count - 200.0) / 200.0;
  EXPECT_LT(chi_square, 124.8);  // 80 degrees of freedom, p = 0.001
  EXPECT_GT(chi_square, 46.5);   // p = 0.999: not more even than chance
}

}  // namespace
}  // namespace dmoe::data
