#include "data/image_set.hpp"

#include <algorithm>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "data/idx_files.hpp"
#include "support/temporary_folder.hpp"

namespace dmoe::data {
namespace {

using dmoe::test::TemporaryFolder;
using test::counting;
using test::idx_bytes;
using test::message_of;
using test::write_file;
using testing::AllOf;
using testing::HasSubstr;

void write_folder(const TemporaryFolder& folder, std::uint32_t train, std::uint32_t test) {
  write_file(folder / "train-images-idx3-ubyte", idx_bytes({train, 2, 3}, counting(train * 6)));
  write_file(folder / "train-labels-idx1-ubyte", idx_bytes({train}, counting(train, 10)));
  write_file(folder / "t10k-images-idx3-ubyte", idx_bytes({test, 2, 3}, counting(test * 6)));
  write_file(folder / "t10k-labels-idx1-ubyte", idx_bytes({test}, counting(test, 10)));
}

/// n images of one pixel: image i has the pixel i and the label i mod 10.
ImageSplits numbered(Index n) {
  ImageSplits splits{10, {1, 1, {}, {}}, {1, 1, {}, {}}, {1, 1, {7}, {7}}};
  for (Index i = 0; i < n; ++i) {
    splits.train.pixels.push_back(narrow<std::uint8_t>(i));
    splits.train.labels.push_back(narrow<std::int32_t>(i % 10));
  }
  return splits;
}

TEST(ImageFolder, is_loaded_whole) {
  const TemporaryFolder folder;
  write_folder(folder, 5, 3);
  const ImageSplits splits = load_image_folder(folder.path(), 10);
  EXPECT_EQ(splits.classes, 10);
  EXPECT_EQ(splits.train.count(), 5);
  EXPECT_EQ(splits.validation.count(), 0);
  EXPECT_EQ(splits.test.count(), 3);
  EXPECT_EQ(splits.train.height, 2);
  EXPECT_EQ(splits.train.width, 3);
  EXPECT_EQ(splits.test.labels, (std::vector<std::int32_t>{0, 1, 2}));
  EXPECT_THAT(splits.train.image(2), testing::ElementsAre(12, 13, 14, 15, 16, 17));
}

TEST(ImageFolder, must_have_as_many_labels_as_images) {
  const TemporaryFolder folder;
  write_folder(folder, 5, 3);
  write_file(folder / "t10k-labels-idx1-ubyte", idx_bytes({4}, counting(4, 10)));
  EXPECT_THAT(
      message_of([&] { load_image_folder(folder.path(), 10); }),
      AllOf(HasSubstr("t10k-images-idx3-ubyte holds 3 images"), HasSubstr("t10k-labels-idx1-ubyte holds 4")));
}

TEST(ImageFolder, must_have_one_shape_of_images) {
  const TemporaryFolder folder;
  write_folder(folder, 5, 3);
  write_file(folder / "t10k-images-idx3-ubyte", idx_bytes({3, 3, 2}, counting(18)));
  EXPECT_THAT(message_of([&] { load_image_folder(folder.path(), 10); }),
              AllOf(HasSubstr("training images are 2 x 3"), HasSubstr("test images 3 x 2")));
}

TEST(ImageFolder, names_the_missing_file) {
  const TemporaryFolder folder;
  write_folder(folder, 5, 3);
  std::filesystem::remove(folder / "train-labels-idx1-ubyte");
  EXPECT_THAT(message_of([&] { load_image_folder(folder.path(), 10); }),
              HasSubstr((folder / "train-labels-idx1-ubyte").string()));
}

TEST(Validation, and_training_are_disjoint_and_together_complete) {
  ImageSplits splits = numbered(200);
  hold_out_validation(splits, 30, 1);
  EXPECT_EQ(splits.validation.count(), 30);
  EXPECT_EQ(splits.train.count(), 170);
  EXPECT_EQ(splits.test.count(), 1);
  std::vector<std::uint8_t> all = splits.train.pixels;
  EXPECT_TRUE(std::ranges::is_sorted(splits.train.pixels));
  EXPECT_TRUE(std::ranges::is_sorted(splits.validation.pixels));
  all.insert(all.end(), splits.validation.pixels.begin(), splits.validation.pixels.end());
  std::ranges::sort(all);
  EXPECT_EQ(all, numbered(200).train.pixels);
}

TEST(Validation, keeps_labels_with_their_images) {
  ImageSplits splits = numbered(200);
  hold_out_validation(splits, 30, 1);
  for (const ImageSet* set : {&splits.train, &splits.validation}) {
    for (Index i = 0; i < set->count(); ++i) EXPECT_EQ(set->labels[size(i)], set->pixels[size(i)] % 10);
  }
}

TEST(Validation, follows_the_test_seed) {
  ImageSplits first = numbered(200);
  ImageSplits same = numbered(200);
  ImageSplits other = numbered(200);
  hold_out_validation(first, 30, 1);
  hold_out_validation(same, 30, 1);
  hold_out_validation(other, 30, 2);
  EXPECT_EQ(first.validation.pixels, same.validation.pixels);
  EXPECT_NE(first.validation.pixels, other.validation.pixels);
}

TEST(Validation, of_fewer_examples_is_part_of_one_of_more) {
  ImageSplits few = numbered(200);
  ImageSplits more = numbered(200);
  hold_out_validation(few, 10, 1);
  hold_out_validation(more, 20, 1);
  EXPECT_TRUE(std::ranges::includes(more.validation.pixels, few.validation.pixels));
}

TEST(Validation, leaves_at_least_one_example_to_train_on) {
  ImageSplits splits = numbered(20);
  EXPECT_EQ(message_of([&] { hold_out_validation(splits, 20, 1); }),
            "validation must be 0 to 19 (of 20 training examples), got 20");
  EXPECT_EQ(message_of([&] { hold_out_validation(splits, -1, 1); }),
            "validation must be 0 to 19 (of 20 training examples), got -1");
  hold_out_validation(splits, 19, 1);
  EXPECT_EQ(splits.train.count(), 1);
}

}  // namespace
}  // namespace dmoe::data
