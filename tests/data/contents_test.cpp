#include "data/contents.hpp"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.hpp"
#include "data/checksum.hpp"
#include "data/image_dataset.hpp"
#include "data/renumbered.hpp"
#include "data/statistics.hpp"
#include "support/message_of.hpp"

namespace dmoe::data {
namespace {

using dmoe::test::message_of;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

/// One input a training example, (n, K); classes and one more factor by name. Test examples are the last two.
class Table final : public Dataset {
 public:
  Table(std::vector<std::vector<float>> rows, std::vector<std::int32_t> classes,
        std::vector<std::string> names, std::vector<std::string> speakers = {})
      : rows_(std::move(rows)), classes_(std::move(classes)) {
    factors_.push_back({"class", {static_cast<Index>(names.size())}, {"class"}, names});
    if (!speakers.empty())
      factors_.push_back({"speaker", {static_cast<Index>(speakers.size())}, {"speaker"}, speakers});
  }
  Index input_width() const override { return static_cast<Index>(rows_.front().size()); }
  Index class_count() const override { return factors_.front().level_count(); }
  Index example_count(Split split) const override {
    if (split == Split::validation) return 0;
    return split == Split::test ? test_examples : static_cast<Index>(rows_.size()) - test_examples;
  }
  const std::vector<Factor>& factors() const override { return factors_; }
  void present(Split split, std::span<const Index> examples, Draw /*draw*/, Batch& batch) const override {
    batch.rows = static_cast<Index>(examples.size());
    for (Index r = 0; r < batch.rows; ++r) {
      const std::size_t row =
          size(examples[size(r)] + (split == Split::test ? example_count(Split::train) : 0));
      std::ranges::copy(rows_[row], batch.inputs().row(r).begin());
      batch.labels()[size(r)] = batch.factor(0)[size(r)] = classes_[row];
      if (factors_.size() > 1) batch.factor(1)[size(r)] = static_cast<std::int32_t>(row % 2);
    }
  }

 private:
  static constexpr Index test_examples = 2;
  std::vector<std::vector<float>> rows_;
  std::vector<std::int32_t> classes_;
  std::vector<Factor> factors_;
};

const std::vector<std::vector<float>> rows{{1, 2}, {3, 4}, {5, 6}, {7, 8}, {9, 10}};

/// The same, to be owned.
std::unique_ptr<Table> owned(std::vector<std::int32_t> classes = {0, 1, 1, 0, 2},
                             std::vector<std::string> names = {"a", "b", "c"}) {
  return std::make_unique<Table>(rows, std::move(classes), std::move(names));
}

Table table(std::vector<std::int32_t> classes = {0, 1, 1, 0, 2},
            std::vector<std::string> names = {"a", "b", "c"}) {
  return {rows, std::move(classes), std::move(names)};
}

// By Python: digest = xxhash.xxh3_64_intdigest(b"dmoe"), xxhash.xxh3_64_intdigest(b"data", digest).
TEST(Checksum, is_that_of_the_library) {
  Checksum checksum;
  EXPECT_EQ(checksum.text(), "0000000000000000");
  checksum.add(std::span(std::string_view("dmoe")));
  EXPECT_EQ(checksum.text(), "7f740968ae9a72ea");
  checksum.add(std::span(std::string_view("data")));
  EXPECT_EQ(checksum.text(), "4711f6e93bbcc0c8");
}

TEST(Contents, counts_what_each_split_has) {
  const Contents contents = contents_of(table());
  EXPECT_THAT(contents.example_shape, ElementsAre(2));
  EXPECT_EQ(contents.classes, 3);
  ASSERT_EQ(contents.names.size(), 1U);
  EXPECT_THAT(contents.names[0].levels, ElementsAre("a", "b", "c"));
  ASSERT_TRUE(contents.of(Split::train) && contents.of(Split::test));
  EXPECT_FALSE(contents.of(Split::validation));
  EXPECT_THAT(contents.of(Split::train)->class_counts, ElementsAre(1, 2, 0));
  EXPECT_THAT(contents.of(Split::test)->class_counts, ElementsAre(1, 0, 1));
}

TEST(Contents, knows_what_it_was_asked_for) {
  const Contents contents = contents_of(table(), {Split::test});
  EXPECT_FALSE(contents.of(Split::train));
  EXPECT_TRUE(contents.of(Split::test));
}

TEST(Contents, of_images_is_of_their_pixels_whatever_the_translation) {
  const ImageSet set{1, 2, {1, 2, 3, 4}, {0, 1}};
  const auto contents = [&](Index translation, std::uint64_t seed) {
    return contents_of(ImageDataset({2, set, {}, set}, {translation, seed, 1}));
  };
  EXPECT_EQ(contents(0, 0), contents(3, 5));
  EXPECT_THAT(contents(3, 5).example_shape, ElementsAre(1, 2));
  Checksum checksum;
  checksum.add(std::span(set.pixels));
  EXPECT_EQ(contents(3, 5).of(Split::train)->inputs, checksum.text());
}

TEST(Differences, name_what_differs) {
  const Contents before = contents_of(table());
  EXPECT_THAT(differences(before, before), IsEmpty());
  EXPECT_THAT(differences(before, contents_of(table({0, 1, 2, 0, 2}))),
              ElementsAre("the labels of the train examples are others"));
  auto others = rows;
  others[0][1] = 2.5;
  EXPECT_THAT(differences(before, contents_of(Table(others, {0, 1, 1, 0, 2}, {"a", "b", "c"}))),
              ElementsAre("the inputs of the train examples are others"));
  EXPECT_THAT(differences(before, contents_of(Table(others, {1, 1, 1, 0, 2}, {"a", "b", "c"}))),
              ElementsAre("the inputs of the train examples are others, and so are their labels"));
  EXPECT_THAT(differences(before, contents_of(Table({{1, 2}, {5, 6}, {7, 8}, {9, 10}}, {0, 1, 0, 2},
                                                    {"a", "b", "c"}))),
              ElementsAre("train examples: 2, were 3"));
  EXPECT_THAT(differences(before, contents_of(table({0, 1, 1, 0, 2}, {"a", "b", "c", "d"}))),
              ElementsAre("4 classes, were 3"));
}

TEST(Differences, tell_of_a_split_that_the_run_did_not_have) {
  Contents before = contents_of(table());
  before.of(Split::test).reset();
  EXPECT_THAT(differences(before, contents_of(table(), {Split::test})),
              ElementsAre("test examples: 2, were 0"));
}

TEST(Differences, are_of_what_both_know) {
  const Contents all = contents_of(table());
  const Contents other = contents_of(table({0, 1, 2, 0, 2}), {Split::test});
  EXPECT_THAT(differences(all, other), IsEmpty());  // the training set is not asked for
  EXPECT_THAT(differences({}, all), IsEmpty());
  EXPECT_THAT(differences(all, {}), IsEmpty());
}

TEST(ClassesNotTrained, are_named) {
  EXPECT_EQ(classes_not_trained(contents_of(table())),
            "no training example is of class 2 (\"c\"); of the test set, 1 is");
  EXPECT_EQ(classes_not_trained(contents_of(table({0, 1, 2, 0, 2}))), "");
}

TEST(Renumbered, presents_under_the_numbers_of_the_run) {
  std::vector<std::string> remarks;
  const auto dataset =
      renumbered(owned({2, 1, 1, 2, 0}, {"c", "b", "a"}), {{"class", {"a", "b", "c"}}}, remarks);
  EXPECT_THAT(remarks, ElementsAre("the data number classes otherwise than the run: mapped by name"));
  EXPECT_EQ(contents_of(*dataset), contents_of(table()));
  Batch batch(2, 2, 1);
  dataset->present(Split::test, std::vector<Index>{1, 0}, {}, batch);
  EXPECT_THAT(batch.labels(), ElementsAre(2, 0));
  EXPECT_THAT(batch.factor(0), ElementsAre(2, 0));
  EXPECT_EQ(batch.inputs().row(0)[0], 9);
}

TEST(Renumbered, may_lack_classes_and_has_no_others) {
  std::vector<std::string> remarks;
  const auto fewer = renumbered(owned({1, 0, 0, 1, 1}, {"c", "a"}), {{"class", {"a", "b", "c"}}}, remarks);
  EXPECT_EQ(fewer->class_count(), 3);
  EXPECT_THAT(fewer->labels(Split::train), ElementsAre(0, 2, 2));
  EXPECT_THAT(message_of<InputError>([&] {
                renumbered(owned({0, 1, 1, 0, 2}, {"a", "b", "d"}), {{"class", {"a", "b", "c"}}}, remarks);
              }),
              HasSubstr("class \"d\" is none of the 3 that the run knows: a, b, c"));
}

TEST(Renumbered, maps_other_factors_where_all_of_their_levels_are_known) {
  const std::vector<std::int32_t> classes{0, 1, 1, 0, 2};
  const auto of_speakers = [&](const std::vector<std::string>& speakers) {
    return std::make_unique<Table>(rows, classes, std::vector<std::string>{"a", "b", "c"}, speakers);
  };
  const std::vector<LevelNames> known{{"class", {"a", "b", "c"}}, {"speaker", {"ann", "bob", "cyd"}}};
  Batch batch(2, 2, 2);
  std::vector<std::string> remarks;
  renumbered(of_speakers({"cyd", "bob"}), known, remarks)
      ->present(Split::train, std::vector<Index>{0, 1}, {}, batch);
  EXPECT_THAT(batch.factor(1), ElementsAre(2, 1));
  EXPECT_THAT(remarks, ElementsAre(HasSubstr("levels of speaker")));
  remarks.clear();
  renumbered(of_speakers({"cyd", "eve"}), known, remarks)
      ->present(Split::train, std::vector<Index>{0, 1}, {}, batch);
  EXPECT_THAT(batch.factor(1), ElementsAre(0, 1));
  EXPECT_THAT(remarks, ElementsAre(HasSubstr("speaker \"eve\" is none of the 3")));
}

TEST(Renumbered, is_the_data_set_itself_where_nothing_is_to_do) {
  std::vector<std::string> remarks;
  for (const std::vector<LevelNames>& known :
       {std::vector<LevelNames>{}, std::vector<LevelNames>{{"class", {"a", "b", "c"}}}}) {
    auto dataset = owned();
    const Dataset* const before = dataset.get();
    EXPECT_EQ(renumbered(std::move(dataset), known, remarks).get(), before);
  }
  EXPECT_THAT(remarks, IsEmpty());
}

TEST(UnusualFeatures, are_named_with_their_values) {
  const auto remark = [](const std::vector<std::vector<float>>& inputs) {
    return unusual_features(Table(inputs, std::vector<std::int32_t>(inputs.size(), 0), {"a"}));
  };
  EXPECT_EQ(remark(rows), "");
  EXPECT_EQ(remark({{1, 2}, {-1, 2}, {1, 2}, {0, 0}, {0, 0}}), "1 of 2 features is constant (feature 1: 2)");
  EXPECT_THAT(
      remark({{1, 2e-4F}, {-1, 0}, {1, 2e-4F}, {0, 0}, {0, 0}}),
      HasSubstr("not normalised, and training wants means of about 0 and deviations of about 1: deviations "
                "differ in scale, from 9.4e-05 (feature 1) to 0.94 (feature 0)"));
  EXPECT_THAT(remark({{50, 1}, {51, 0}, {50, 1}, {0, 0}, {0, 0}}),
              HasSubstr("feature 0 has mean 50.33 and deviation"));
  EXPECT_THAT(remark({{100, 50}, {-100, -50}, {0, 50}, {0, 0}, {0, 0}}),
              HasSubstr("deviations are 47 (feature 1) to 82 (feature 0)"));
  EXPECT_THAT(remark({{1e-3F, 0}, {-1e-3F, 2e-3F}, {0, 0}, {0, 0}, {0, 0}}),
              HasSubstr("deviations are 0.00082"));
}

TEST(UnusualFeatures, are_not_of_images) {
  const ImageSet set{1, 2, {0, 255, 0, 255}, {0, 1}};
  EXPECT_EQ(unusual_features(ImageDataset({2, set, {}, set}, {0, 0, 1})), "");
}

}  // namespace
}  // namespace dmoe::data
