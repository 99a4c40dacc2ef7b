#include "data/registry.hpp"

#include <filesystem>
#include <string>
#include <utility>

#include "core/paths.hpp"
#include "data/frames_dataset.hpp"
#include "data/frames_file.hpp"
#include "data/image_dataset.hpp"
#include "data/image_set.hpp"
#include "data/synthetic.hpp"

namespace dmoe::data {
namespace {

constexpr Index class_count = 10;
constexpr double most_translation = 1000;  // far beyond use, so that canvas sizes cannot overflow
constexpr double most_context = 1000;      // far beyond use, so that input widths cannot overflow
constexpr double largest_integer = 9e15;   // exact in double
constexpr const char* idx_files = "folder of the four idx files, plain or gzip";
constexpr const char* of_images = "the jitter of the test set and the validation split depend on this alone";

SettingSpec test_seed_spec(std::string help) {
  return {.name = "test_seed",
          .help = std::move(help),
          .initial = std::int64_t{1},
          .minimum = 0,
          .maximum = largest_integer};
}

SettingSpec validation_spec(std::string help = "held out of the training set") {
  return {.name = "validation",
          .help = std::move(help),
          .initial = std::int64_t{0},
          .minimum = 0,
          .maximum = largest_integer,
          .unit = "examples"};
}

/// Where the data are does not matter to a run, what they are does.
SettingSpec path_spec(std::string help, const std::string& initial) {
  return {.name = "path", .help = std::move(help), .initial = initial, .on_resume = OnResume::freely};
}

SettingSpec translation_spec(std::int64_t initial) {
  return {.name = "max_translation",
          .help = "largest random translation on each axis",
          .initial = initial,
          .minimum = 0,
          .maximum = most_translation,
          .unit = "pixels"};
}

struct ImageSource {
  std::string path;   // default folder
  std::string fetch;  // what to type to get it
};

ImageSplits load(const std::filesystem::path& folder, const ImageSource& source) {
  if (!is_folder(folder)) {
    throw SettingError("path", "must be a folder, there is no '{}'; {}, or set it to where the data is",
                       folder.string(), source.fetch);
  }
  return load_image_folder(folder, class_count);
}

std::unique_ptr<Dataset> make_dataset(ImageSplits splits, Index max_translation, const Settings& settings,
                                      std::uint64_t train_seed) {
  const auto test_seed = narrow<std::uint64_t>(settings.integer("test_seed"));
  hold_out_validation(splits, settings.integer("validation"), test_seed);
  return std::make_unique<ImageDataset>(std::move(splits),
                                        JitterOptions{max_translation, train_seed, test_seed});
}

DatasetRegistry::Entry jittered(std::string name, std::string help, const ImageSource& source) {
  return {
      std::move(name),
      std::move(help),
      {path_spec(idx_files, source.path), translation_spec(4), test_seed_spec(of_images), validation_spec()},
      [source](const Settings& settings, std::uint64_t train_seed) {
        return make_dataset(load(settings.text("path"), source), settings.integer("max_translation"),
                            settings, train_seed);
      }};
}

DatasetRegistry::Entry centred(std::string name, std::string help, const ImageSource& source) {
  return {std::move(name),
          std::move(help),
          {path_spec(idx_files, source.path), test_seed_spec(of_images), validation_spec()},
          [source](const Settings& settings, std::uint64_t train_seed) {
            return make_dataset(load(settings.text("path"), source), 0, settings, train_seed);
          }};
}

SettingSpec size_spec(std::string name, std::string help, std::int64_t initial) {
  return {.name = std::move(name),
          .help = std::move(help),
          .initial = initial,
          .minimum = 1,
          .maximum = 1e6,
          .unit = "examples"};
}

DatasetRegistry::Entry synthetic() {
  const SyntheticOptions initial;
  return {"synthetic",
          "generated glyphs at random translations: where-and-what data that needs no download",
          {{.name = "classes",
            .help = "number of glyphs",
            .initial = initial.classes,
            .minimum = 2,
            .maximum = 256},
           size_spec("train_examples", "size of the training set", initial.train_examples),
           size_spec("test_examples", "size of the test set", initial.test_examples),
           translation_spec(initial.max_translation),
           {.name = "noise",
            .help = "largest displacement of a corner of a glyph",
            .initial = initial.noise,
            .minimum = 0,
            .maximum = 10,
            .unit = "pixels"},
           test_seed_spec("all glyphs and examples, and the jitter of the test set, depend on this alone"),
           validation_spec()},
          [](const Settings& settings, std::uint64_t train_seed) {
            SyntheticOptions options;
            options.classes = settings.integer("classes");
            options.train_examples = settings.integer("train_examples");
            options.test_examples = settings.integer("test_examples");
            options.max_translation = settings.integer("max_translation");
            options.noise = settings.real("noise");
            options.seed = narrow<std::uint64_t>(settings.integer("test_seed"));
            return make_dataset(synthetic_images(options), options.max_translation, settings, train_seed);
          }};
}

FramesFile open_frames(const std::string& path) {
  if (!path_exists(path)) {
    throw SettingError("path",
                       "must be a dmoe-frames file, there is no '{}'; make one with: "
                       "scripts/synthesize-speech of dmoe's sources, or set it to where the data is",
                       path);
  }
  return FramesFile(path);
}

DatasetRegistry::Entry frames() {
  const FramesOptions initial;
  return {"frames",
          "labelled frames of speech with their neighbours (paper, experiment 2), synthesised or your own",
          {path_spec("dmoe-frames file (src/data/frames_file.hpp has the layout)", "data/speech/frames.h5"),
           {.name = "context",
            .help = "neighbours stacked on either side",
            .initial = initial.context,
            .minimum = 0,
            .maximum = most_context,
            .unit = "frames"},
           {.name = "test", .help = "which split of the file is the test set", .initial = initial.test},
           test_seed_spec("the validation split depends on this alone"),
           validation_spec("held out of the training set, rounded up to whole utterances")},
          [](const Settings& settings, std::uint64_t /*train_seed*/) {
            FramesOptions options;
            options.context = settings.integer("context");
            options.test = settings.text("test");
            options.validation = settings.integer("validation");
            options.test_seed = narrow<std::uint64_t>(settings.integer("test_seed"));
            return std::make_unique<FramesDataset>(open_frames(settings.text("path")), options);
          }};
}

}  // namespace

DatasetRegistry& datasets() {
  static const ImageSource mnist{
      "data/mnist", "fetch it with: dmoe-fetch-data mnist (in the sources scripts/fetch-data mnist)"};
  static const ImageSource fashion{"data/fashion-mnist",
                                   "fetch it with: dmoe-fetch-data fashion-mnist (in the sources "
                                   "scripts/fetch-data fashion-mnist; Debian's package "
                                   "dataset-fashion-mnist has it in /usr/share/datasets/fashion-mnist)"};
  static DatasetRegistry registry(
      "data set",
      {jittered("jittered_mnist", "handwritten digits at random translations (paper, experiment 1)", mnist),
       centred("mnist", "handwritten digits", mnist),
       jittered("jittered_fashion_mnist", "pieces of clothing at random translations", fashion),
       centred("fashion_mnist", "pieces of clothing", fashion), synthetic(), frames()});
  return registry;
}

}  // namespace dmoe::data
