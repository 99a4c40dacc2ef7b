#include "data/registry.hpp"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "data/frames_content.hpp"
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

void write_folder(const TemporaryFolder& folder) {
  for (const std::string prefix : {"train", "t10k"}) {
    write_file(folder / (prefix + "-images-idx3-ubyte"), idx_bytes({30, 2, 3}, counting(180)));
    write_file(folder / (prefix + "-labels-idx1-ubyte"), idx_bytes({30}, counting(30, 10)));
  }
}

/// The defaults of the data set with some of them replaced.
Settings settings_of(std::string_view name,
                     const std::vector<std::pair<std::string, SettingValue>>& changes) {
  Settings settings;
  for (const SettingSpec& spec : datasets().find(name).settings) {
    SettingValue value = spec.initial;
    for (const auto& [key, other] : changes) {
      if (key == spec.name) value = other;
    }
    settings.set(spec.name, value);
  }
  return settings;
}

std::unique_ptr<Dataset> make(std::string_view name, const Settings& settings, std::uint64_t seed = 0) {
  return datasets().find(name).make(settings, seed);
}

TEST(Datasets, are_six) {
  EXPECT_EQ(datasets().names(),
            "jittered_mnist, mnist, jittered_fashion_mnist, fashion_mnist, synthetic, frames");
}

TEST(Datasets, have_defaults_within_their_own_limits) {
  for (const auto& entry : datasets().entries()) {
    for (const SettingSpec& spec : entry.settings) {
      if (std::holds_alternative<std::string>(spec.initial)) continue;
      const double initial = std::holds_alternative<double>(spec.initial)
                                 ? std::get<double>(spec.initial)
                                 : static_cast<double>(std::get<std::int64_t>(spec.initial));
      EXPECT_LE(spec.minimum, initial) << entry.name << "." << spec.name;
      EXPECT_LE(initial, spec.maximum) << entry.name << "." << spec.name;
    }
  }
}

TEST(Datasets, of_images_have_a_canvas_as_large_as_the_translation_asks) {
  const TemporaryFolder folder;
  write_folder(folder);
  const SettingValue path = folder.path().string();
  EXPECT_EQ(make("mnist", settings_of("mnist", {{"path", path}}))->input_width(), 2 * 3);
  EXPECT_EQ(make("jittered_mnist", settings_of("jittered_mnist", {{"path", path}}))->input_width(), 10 * 11);
  const Settings one =
      settings_of("jittered_fashion_mnist", {{"path", path}, {"max_translation", std::int64_t{1}}});
  const auto dataset = make("jittered_fashion_mnist", one);
  EXPECT_EQ(dataset->input_width(), 4 * 5);
  EXPECT_EQ(dataset->class_count(), 10);
  EXPECT_EQ(dataset->factors().size(), 2U);
  EXPECT_EQ(make("fashion_mnist", settings_of("fashion_mnist", {{"path", path}}))->factors().size(), 1U);
}

TEST(Datasets, hold_out_validation_examples_on_request) {
  const TemporaryFolder folder;
  write_folder(folder);
  const Settings settings =
      settings_of("mnist", {{"path", folder.path().string()}, {"validation", std::int64_t{7}}});
  const auto dataset = make("mnist", settings);
  EXPECT_EQ(dataset->example_count(Split::train), 23);
  EXPECT_EQ(dataset->example_count(Split::validation), 7);
  EXPECT_EQ(dataset->example_count(Split::test), 30);
}

TEST(Datasets, that_are_not_there_say_how_to_get_them) {
  const TemporaryFolder folder;
  const SettingValue path = (folder / "nowhere").string();
  const auto complaint = [&](const std::string& name) {
    const Settings settings = settings_of(name, {{"path", path}});
    return message_of([&] { make(name, settings); });
  };
  EXPECT_THAT(complaint("jittered_mnist"),
              AllOf(HasSubstr("path must be a folder"), HasSubstr(std::get<std::string>(path)),
                    HasSubstr("scripts/fetch-data mnist")));
  EXPECT_THAT(complaint("fashion_mnist"),
              AllOf(HasSubstr("scripts/fetch-data fashion-mnist"), HasSubstr("dataset-fashion-mnist")));
  EXPECT_THAT(complaint("frames"),
              AllOf(HasSubstr("path must be a dmoe-frames file"), HasSubstr(std::get<std::string>(path)),
                    HasSubstr("scripts/synthesize-speech")));
}

TEST(Datasets, synthetic_is_made_to_measure) {
  const Settings settings = settings_of("synthetic", {{"classes", std::int64_t{4}},
                                                      {"train_examples", std::int64_t{50}},
                                                      {"test_examples", std::int64_t{20}},
                                                      {"max_translation", std::int64_t{2}},
                                                      {"validation", std::int64_t{10}}});
  const auto dataset = make("synthetic", settings);
  EXPECT_EQ(dataset->input_width(), 16 * 16);
  EXPECT_EQ(dataset->class_count(), 4);
  EXPECT_EQ(dataset->example_count(Split::train), 40);
  EXPECT_EQ(dataset->example_count(Split::validation), 10);
  EXPECT_EQ(dataset->example_count(Split::test), 20);
}

TEST(Datasets, frames_follow_the_settings) {
  const TemporaryFolder folder;
  test::FramesContent().write(folder / "frames.h5");
  const Settings settings = settings_of("frames", {{"path", (folder / "frames.h5").string()},
                                                   {"context", std::int64_t{2}},
                                                   {"test", std::string("held_out_speaker")},
                                                   {"test_seed", std::int64_t{5}},
                                                   {"validation", std::int64_t{1}}});
  const auto dataset = make("frames", settings);
  EXPECT_EQ(dataset->input_width(), 5 * 3);
  EXPECT_EQ(dataset->class_count(), 4);
  EXPECT_EQ(dataset->example_count(Split::test), 3);
  EXPECT_GE(dataset->example_count(Split::validation), 1);
}

}  // namespace
}  // namespace dmoe::data
