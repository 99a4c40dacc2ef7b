#include "data/frames_file.hpp"

#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.hpp"
#include "data/frames_content.hpp"
#include "support/message_of.hpp"
#include "support/temporary_folder.hpp"

namespace dmoe::data {
namespace {

using dmoe::test::message_of;
using test::FramesContent;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

class FramesFileOf : public testing::Test {
 protected:
  FramesFile open() const {
    content.write(path);
    return FramesFile(path);
  }
  /// What opening the file, or reading all frames of its training split, complains of.
  std::string complaint() const {
    return message_of([&] {
      const FramesFile file = open();
      file.read(file.utterances("train"));
    });
  }

  dmoe::test::TemporaryFolder folder;
  std::filesystem::path path = folder / "frames.h5";
  FramesContent content;
};

TEST_F(FramesFileOf, six_utterances_is_described_without_its_frames) {
  const FramesFile file = open();
  EXPECT_EQ(file.feature_count(), 3);
  EXPECT_THAT(file.classes(), ElementsAre("sil", "aa", "b", "k"));
  EXPECT_THAT(file.splits(), ElementsAre("train", "test", "held_out_speaker"));
  ASSERT_EQ(file.factors().size(), 2U);
  EXPECT_EQ(file.factors()[0].name, "speaker");
  EXPECT_THAT(file.factors()[0].levels, ElementsAre("ann", "bob", "cyd"));
  EXPECT_EQ(file.factors()[1].name, "previous_phone");
  EXPECT_EQ(file.factors()[1].levels, file.classes());
  EXPECT_THAT(file.utterances("train"), ElementsAre(0, 2, 5));
  EXPECT_THAT(file.utterances("test"), ElementsAre(1, 4));
  EXPECT_EQ(file.length(0), 4);
  EXPECT_EQ(file.length(1), 1);
  EXPECT_EQ(file.length(5), 5);
}

TEST_F(FramesFileOf, six_utterances_gives_the_frames_of_those_asked_for) {
  const FramesFile file = open();
  const Frames frames = file.read(std::vector<Index>{1, 2, 4});
  EXPECT_EQ(frames.count(), 6);
  EXPECT_THAT(frames.first, ElementsAre(0, 1, 4, 6));
  EXPECT_THAT(frames.labels, ElementsAre(3, 2, 1, 0, 2, 3));
  EXPECT_THAT(frames.factors[0], ElementsAre(1, 1, 1, 1, 0, 0));
  EXPECT_THAT(frames.factors[1], ElementsAre(2, 3, 0, 1, 1, 2));
  EXPECT_THAT(frames.features,
              ElementsAre(40, 41, 42, 50, 51, 52, 60, 61, 62, 70, 71, 72, 110, 111, 112, 120, 121, 122));
}

TEST_F(FramesFileOf, no_factors_is_a_file_too) {
  content.write(path);
  hdf5::File file = hdf5::File::open_read_write(path);
  file.remove("/frames/factors");
  file.remove("/utterances/factors");
  file.close();
  const FramesFile plain(path);
  EXPECT_TRUE(plain.factors().empty());
  EXPECT_TRUE(plain.read(plain.utterances("test")).factors.empty());
}

TEST_F(FramesFileOf, another_format_is_refused) {
  content.format = "dmoe-run";
  EXPECT_THAT(complaint(), HasSubstr("frames.h5: its format is dmoe-run, expected dmoe-frames"));
}

TEST_F(FramesFileOf, a_newer_version_is_refused) {
  content.version = 2;
  EXPECT_THAT(complaint(), HasSubstr("frames.h5: dmoe-frames of format version 2; this dmoe"));
}

TEST_F(FramesFileOf, a_missing_part_is_named) {
  for (const std::string part :
       {"/frames/features", "/frames/labels", "/utterances/first_frame", "/utterances/split"}) {
    content.write(path);
    hdf5::File file = hdf5::File::open_read_write(path);
    file.remove(part);
    file.close();
    EXPECT_THAT(message_of([&] { FramesFile{path}; }),
                AllOf(HasSubstr("frames.h5"), HasSubstr(part), HasSubstr("no such object")));
  }
}

TEST_F(FramesFileOf, stacked_features_of_another_shape_are_refused) {
  content.shape = {18, 3, 1};
  EXPECT_THAT(complaint(), HasSubstr("/frames/features: its shape is (18, 3, 1), expected two axes"));
}

TEST_F(FramesFileOf, no_frames_is_refused) {
  content.features.clear();
  content.shape = {0, 3};
  EXPECT_THAT(complaint(), HasSubstr("/frames/features: its shape is (0, 3), expected two axes of size 1"));
}

TEST_F(FramesFileOf, values_that_differ_in_number_are_refused) {
  content.labels.pop_back();
  EXPECT_THAT(complaint(), HasSubstr("/frames/labels: it has 17 values, expected 18, one for every frame"));
  content = {};
  content.previous.push_back(0);
  EXPECT_THAT(complaint(), HasSubstr("/frames/factors/previous_phone: it has 19 values, expected 18"));
  content = {};
  content.split.pop_back();
  EXPECT_THAT(complaint(),
              HasSubstr("/utterances/split: it has 5 values, expected 6, one for every utterance"));
  content = {};
  content.speaker.push_back(0);
  EXPECT_THAT(complaint(), HasSubstr("/utterances/factors/speaker: it has 7 values, expected 6"));
}

TEST_F(FramesFileOf, codes_without_a_name_are_refused) {
  content.labels[15] = 4;
  EXPECT_THAT(complaint(), HasSubstr("/frames/labels: value 15 is 4, allowed are 0 to 3"));
  content = {};
  content.previous[6] = -1;
  EXPECT_THAT(complaint(), HasSubstr("/frames/factors/previous_phone: value 6 is -1, allowed are 0 to 3"));
  content = {};
  content.split[3] = 3;
  EXPECT_THAT(complaint(), HasSubstr("/utterances/split: value 3 is 3, allowed are 0 to 2"));
  content = {};
  content.speaker[5] = 7;
  EXPECT_THAT(complaint(), HasSubstr("/utterances/factors/speaker: value 5 is 7, allowed are 0 to 2"));
}

TEST_F(FramesFileOf, codes_that_nobody_names_are_refused) {
  content.classes.clear();
  EXPECT_THAT(complaint(), HasSubstr("/frames/labels: its attribute 'levels' is empty"));
}

TEST_F(FramesFileOf, features_that_are_no_numbers_are_refused) {
  content.features[size(3 * 14 + 1)] = std::nanf("");
  EXPECT_THAT(complaint(), HasSubstr("/frames/features: feature 1 of frame 14 is nan, expected a finite"));
  content = {};
  content.features[size(3 * 0 + 2)] = -std::numeric_limits<float>::infinity();
  EXPECT_THAT(complaint(), HasSubstr("/frames/features: feature 2 of frame 0 is -inf"));
}

TEST_F(FramesFileOf, frames_are_looked_at_only_where_they_are_read) {
  content.features[size(3 * 4)] = std::nanf("");  // of "test"
  content.labels[4] = 9;
  EXPECT_EQ(complaint(), "nothing of that type was thrown");
}

TEST_F(FramesFileOf, utterances_out_of_order_are_refused) {
  content.first = {0, 5, 4, 8, 11, 13};
  EXPECT_THAT(complaint(), HasSubstr("/utterances/first_frame: utterance 2 begins at frame 4, expected more "
                                     "than 5 and less than 18"));
  content.first = {0, 4, 4, 8, 11, 13};  // one without frames
  EXPECT_THAT(complaint(), HasSubstr("utterance 2 begins at frame 4, expected more than 4"));
  content.first = {0, 4, 5, 8, 11, 18};
  EXPECT_THAT(complaint(),
              HasSubstr("utterance 5 begins at frame 18, expected more than 11 and less than 18"));
  content.first = {1, 4, 5, 8, 11, 13};
  EXPECT_THAT(complaint(), HasSubstr("utterance 0 begins at frame 1, expected 0"));
}

TEST_F(FramesFileOf, empty_and_unknown_splits_are_refused) {
  content.split = {0, 0, 0, 0, 0, 1};
  const FramesFile file = open();
  EXPECT_THAT(message_of([&] { file.utterances("held_out_speaker"); }),
              HasSubstr("/utterances/split: no utterance is in split 'held_out_speaker'"));
  EXPECT_THAT(message_of([&] { file.utterances("dev"); }),
              HasSubstr("/utterances/split: there is no split 'dev'; known: train, test, held_out_speaker"));
}

TEST_F(FramesFileOf, two_factors_of_one_name_is_refused) {
  content.speaker_name = "previous_phone";
  EXPECT_THAT(complaint(), HasSubstr("/frames/factors/previous_phone: there is another factor"));
  content.speaker_name = "class";
  EXPECT_THAT(complaint(), HasSubstr("/utterances/factors/class: there is another factor 'class'"));
}

TEST_F(FramesFileOf, numbers_of_a_wider_type_is_rounded) {
  const auto features_with = [&](double one) {
    content.write(path);
    hdf5::File file = hdf5::File::open_read_write(path);
    file.remove("/frames/features");
    std::vector<double> features(54, 0.1);
    features[4] = one;
    file.write("/frames/features", features, {18, 3}, {"1", {"frame", "feature"}});
    file.close();
    const FramesFile frames(path);
    EXPECT_TRUE(frames.rounds_features());
    return frames.read(frames.utterances("train")).features;
  };
  const std::vector<float> features = features_with(0.7);
  EXPECT_EQ(features[3], 0.1F);
  EXPECT_EQ(features[4], 0.7F);
  EXPECT_THAT(message_of([&] { features_with(-1e39); }),
              HasSubstr("/frames/features: feature 1 of frame 1 is -1e+39, expected a finite float32"));
}

}  // namespace
}  // namespace dmoe::data
