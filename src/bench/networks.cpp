#include "bench/networks.hpp"

#include <cstdint>
#include <regex>
#include <utility>

#include "core/error.hpp"
#include "core/random.hpp"

namespace dmoe::bench {

namespace {

constexpr Index image_side = 28;
constexpr Index translation = 4;
constexpr Index inputs = (image_side + 2 * translation) * (image_side + 2 * translation);
constexpr Index gate_hidden = 50;

data::ImageSet random_set(Index examples, RandomStream& stream) {
  data::ImageSet set;
  set.height = set.width = image_side;
  for (Index i = 0; i < examples; ++i)
    set.labels.push_back(static_cast<std::int32_t>(stream.below(class_count)));
  for (Index i = 0; i < examples * image_side * image_side; ++i)
    set.pixels.push_back(static_cast<std::uint8_t>(stream.word()));
  return set;
}

}  // namespace

NamedNetwork network_named(const std::string& text) {
  NamedNetwork network{text, {inputs, class_count, {}}};
  const std::string layers = text == "A" ? "4x100-4x100" : text;
  if (!std::regex_match(layers,
                        std::regex("[1-9][0-9]{0,4}x[1-9][0-9]{0,4}(-[1-9][0-9]{0,4}x[1-9][0-9]{0,4})*")))
    throw InputError("must be A or experts x units of each layer, as 16x50-16x50, got {}", text);
  const std::regex layer("([0-9]+)x([0-9]+)");
  for (std::sregex_iterator found(layers.begin(), layers.end(), layer), end; found != end; ++found)
    network.spec.layers.push_back({std::stoll((*found)[1]), std::stoll((*found)[2]), gate_hidden});
  return network;
}

data::ImageDataset random_images(Index rows, Index test_batches) {
  constexpr Index examples = 4096;  // at least, for training
  data::ImageSplits splits;
  splits.classes = class_count;
  RandomStream stream(0, Purpose::bench, 0);
  splits.train = random_set((examples + rows - 1) / rows * rows, stream);
  splits.test = random_set(test_batches * rows, stream);
  return {std::move(splits), {.max_translation = translation, .train_seed = 0, .test_seed = 1}};
}

}  // namespace dmoe::bench
