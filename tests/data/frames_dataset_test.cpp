#include "data/frames_dataset.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/settings.hpp"
#include "data/frames_content.hpp"
#include "support/message_of.hpp"
#include "support/temporary_folder.hpp"

namespace dmoe::data {
namespace {

using dmoe::test::message_of;
using test::FramesContent;
using testing::HasSubstr;

class FramesDatasetOf : public testing::Test {
 protected:
  FramesDataset dataset(FramesOptions options = {}) const {
    content.write(path);
    return {FramesFile(path), std::move(options)};
  }

  dmoe::test::TemporaryFolder folder;
  std::filesystem::path path = folder / "frames.h5";
  FramesContent content;
};

Batch presented(const Dataset& dataset, Split split, const std::vector<Index>& examples, Draw draw = {}) {
  Batch batch(static_cast<Index>(examples.size()), dataset.input_width(), dataset.factors().size());
  dataset.present(split, examples, draw, batch);
  return batch;
}

Batch all_of(const Dataset& dataset, Split split) {
  std::vector<Index> examples(size(dataset.example_count(split)));
  std::iota(examples.begin(), examples.end(), Index{0});
  return presented(dataset, split, examples);
}

/// The frames of the content's utterances, in order.
std::vector<Index> frames_of(const FramesContent& content, const std::vector<std::size_t>& utterances) {
  std::vector<Index> frames;
  for (const std::size_t u : utterances) {
    const Index end = u + 1 < content.first.size() ? content.first[u + 1] : content.shape[0];
    for (Index t = content.first[u]; t < end; ++t) frames.push_back(t);
  }
  return frames;
}

/// Feature k of the neighbour of frame t, found by walking from t one frame at a time to the utterance's end.
float reference(const FramesContent& content, Index t, Index offset, Index k) {
  const auto begins = [&](Index frame) {
    return std::find(content.first.begin(), content.first.end(), frame) != content.first.end();
  };
  for (; offset < 0 && !begins(t); ++offset) --t;
  for (; offset > 0 && t + 1 < content.shape[0] && !begins(t + 1); --offset) ++t;
  return content.features[size(t * content.shape[1] + k)];
}

void expect_stacked(const Batch& batch, const FramesContent& content, const std::vector<Index>& frames,
                    Index context) {
  ASSERT_EQ(batch.rows, static_cast<Index>(frames.size()));
  for (Index r = 0; r < batch.rows; ++r) {
    const Index t = frames[size(r)];
    EXPECT_EQ(batch.labels()[size(r)], content.labels[size(t)]);
    EXPECT_EQ(batch.factor(0)[size(r)], content.labels[size(t)]);
    EXPECT_EQ(batch.factor(2)[size(r)], content.previous[size(t)]);
    const float* input = batch.inputs().row(r).data();
    for (Index offset = -context; offset <= context; ++offset) {
      for (Index k = 0; k < content.shape[1]; ++k) {
        EXPECT_EQ(*input++, reference(content, t, offset, k)) << "frame " << t << " neighbour " << offset;
      }
    }
  }
}

TEST_F(FramesDatasetOf, six_utterances_has_their_sizes_and_factors) {
  const FramesDataset frames = dataset();
  EXPECT_EQ(frames.input_width(), 11 * 3);
  EXPECT_EQ(frames.class_count(), 4);
  EXPECT_EQ(frames.example_count(Split::train), 4 + 3 + 5);
  EXPECT_EQ(frames.example_count(Split::validation), 0);
  EXPECT_EQ(frames.example_count(Split::test), 1 + 2);
  ASSERT_EQ(frames.factors().size(), 3U);
  EXPECT_EQ(frames.factors()[0].name, "class");
  EXPECT_EQ(frames.factors()[0].level_count(), 4);
  EXPECT_EQ(frames.factors()[1].name, "speaker");
  EXPECT_EQ(frames.factors()[1].level_count(), 3);
  EXPECT_EQ(frames.factors()[2].name, "previous_phone");
  EXPECT_EQ(frames.factors()[2].axes, std::vector<std::string>{"previous_phone"});
}

TEST_F(FramesDatasetOf, six_utterances_stacks_neighbours_and_repeats_the_last_at_borders) {
  for (const Index context : {0, 1, 2, 5, 30}) {
    FramesOptions options;
    options.context = context;
    const FramesDataset frames = dataset(options);
    expect_stacked(all_of(frames, Split::train), content, frames_of(content, {0, 2, 5}), context);
    expect_stacked(all_of(frames, Split::test), content, frames_of(content, {1, 4}), context);
  }
}

TEST_F(FramesDatasetOf, six_utterances_gives_every_frame_the_factors_of_its_utterance) {
  const FramesDataset frames = dataset();
  const Batch batch = all_of(frames, Split::train);
  const std::vector<std::int32_t> speakers{0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1};
  EXPECT_TRUE(std::equal(speakers.begin(), speakers.end(), batch.factor(1).begin(), batch.factor(1).end()));
}

TEST_F(FramesDatasetOf, six_utterances_presents_any_order_whatever_the_draw) {
  const FramesDataset frames = dataset();
  const std::vector<Index> examples{7, 0, 11, 7};
  const std::vector<Index> train = frames_of(content, {0, 2, 5});
  std::vector<Index> expected;
  for (const Index example : examples) expected.push_back(train[size(example)]);
  for (const std::uint64_t first : {0U, 1000U}) {
    const Draw draw{Purpose::train_transform, first};
    expect_stacked(presented(frames, Split::train, examples, draw), content, expected, 5);
  }
}

TEST_F(FramesDatasetOf, several_splits_tests_on_the_one_named) {
  FramesOptions options;
  options.test = "held_out_speaker";
  const FramesDataset frames = dataset(options);
  expect_stacked(all_of(frames, Split::test), content, frames_of(content, {3}), 5);
}

TEST_F(FramesDatasetOf, several_splits_names_them_where_the_test_split_is_unknown) {
  FramesOptions options;
  options.test = "dev";
  EXPECT_THAT(message_of<SettingError>([&] { dataset(options); }),
              HasSubstr("one of train, test, held_out_speaker; got 'dev'"));
}

TEST_F(FramesDatasetOf, damaged_training_frames_still_tests) {
  content.features[0] = std::nanf("");
  const FramesDataset frames = dataset();
  EXPECT_FALSE(frames.is_read(Split::test));
  expect_stacked(all_of(frames, Split::test), content, frames_of(content, {1, 4}), 5);
  EXPECT_TRUE(frames.is_read(Split::test));
  EXPECT_FALSE(frames.is_read(Split::train));
  EXPECT_THAT(message_of([&] { all_of(frames, Split::train); }), HasSubstr("feature 0 of frame 0 is nan"));
}

TEST_F(FramesDatasetOf, three_training_utterances_holds_out_whole_ones) {
  // Utterances 0, 2 and 5 have 4, 3 and 5 frames: those that can make up at least 4, and what they leave.
  using Utterances = std::vector<std::size_t>;
  const std::vector<std::pair<Utterances, Utterances>> choices{
      {{0}, {2, 5}}, {{5}, {0, 2}}, {{0, 2}, {5}}, {{2, 5}, {0}}};
  std::set<Utterances> seen;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    FramesOptions options;
    options.test_seed = seed;
    options.validation = 4;
    const FramesDataset frames = dataset(options);
    const Batch validation = all_of(frames, Split::validation);
    const auto is_choice = [&](const auto& choice) {
      const std::vector<Index> expected = frames_of(content, choice.first);
      return static_cast<Index>(expected.size()) == validation.rows &&
             validation.inputs().row(0)[15] == static_cast<float>(10 * expected[0]);
    };
    const auto choice = std::find_if(choices.begin(), choices.end(), is_choice);
    ASSERT_NE(choice, choices.end()) << "seed " << seed << ": " << validation.rows << " examples";
    expect_stacked(validation, content, frames_of(content, choice->first), 5);
    expect_stacked(all_of(frames, Split::train), content, frames_of(content, choice->second), 5);
    EXPECT_EQ(frames.example_count(Split::test), 3);
    seen.insert(choice->first);
  }
  EXPECT_GT(seen.size(), 1U);  // another seed, another choice
}

TEST_F(FramesDatasetOf, three_training_utterances_keeps_one_to_train_on) {
  FramesOptions options;
  options.validation = 12;
  EXPECT_THAT(message_of<SettingError>([&] { dataset(options); }), HasSubstr("validation must be 0 to "));
}

TEST_F(FramesDatasetOf, nothing_to_train_on_is_refused) {
  content.split = {1, 1, 2, 2, 1, 1};
  EXPECT_THAT(message_of([&] { dataset(); }), HasSubstr("no utterance is in split 'train'"));
}

}  // namespace
}  // namespace dmoe::data
