#include "data/image_set.hpp"

#include <string>
#include <utility>

#include "core/error.hpp"
#include "core/random.hpp"
#include "core/settings.hpp"
#include "data/idx.hpp"

namespace dmoe::data {
namespace {

ImageSet load_pair(const std::filesystem::path& folder, const std::string& prefix, Index classes) {
  const std::filesystem::path images_file = find_idx(folder, prefix + "-images-idx3-ubyte");
  const std::filesystem::path labels_file = find_idx(folder, prefix + "-labels-idx1-ubyte");
  IdxImages images = read_idx_images(images_file);
  ImageSet set{images.height, images.width, std::move(images.pixels), read_idx_labels(labels_file, classes)};
  if (images.count != set.count()) {
    throw InputError("{} holds {} images, but {} holds {} labels; expected as many", images_file.string(),
                     images.count, labels_file.string(), set.count());
  }
  return set;
}

/// The images i of `set` with chosen[i] == wanted.
ImageSet subset(const ImageSet& set, const std::vector<bool>& chosen, bool wanted) {
  ImageSet part{set.height, set.width, {}, {}};
  for (Index i = 0; i < set.count(); ++i) {
    if (chosen[size(i)] != wanted) continue;
    const auto image = set.image(i);
    part.pixels.insert(part.pixels.end(), image.begin(), image.end());
    part.labels.push_back(set.labels[size(i)]);
  }
  return part;
}

}  // namespace

ImageSplits load_image_folder(const std::filesystem::path& folder, Index classes) {
  ImageSplits splits;
  splits.classes = classes;
  splits.train = load_pair(folder, "train", classes);
  splits.test = load_pair(folder, "t10k", classes);
  const ImageSet& train = splits.train;
  const ImageSet& test = splits.test;
  if (train.height != test.height || train.width != test.width) {
    throw InputError("{}: training images are {} x {}, test images {} x {}; expected one shape",
                     folder.string(), train.height, train.width, test.height, test.width);
  }
  splits.validation = ImageSet{train.height, train.width, {}, {}};
  return splits;
}

void hold_out_validation(ImageSplits& splits, Index count, std::uint64_t test_seed) {
  const Index available = splits.train.count();
  if (count < 0 || count >= available) {
    throw SettingError("validation", "must be 0 to {} (of {} training examples), got {}", available - 1,
                       available, count);
  }
  if (count == 0) return;
  std::vector<Index> order;
  shuffled(available, RandomStream(test_seed, Purpose::validation_split, 0), order);
  std::vector<bool> held_out(size(available), false);
  for (Index i = 0; i < count; ++i) held_out[size(order[size(i)])] = true;
  splits.validation = subset(splits.train, held_out, true);
  splits.train = subset(splits.train, held_out, false);
}

}  // namespace dmoe::data
