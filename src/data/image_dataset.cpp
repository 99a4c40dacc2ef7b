#include "data/image_dataset.hpp"

#include <algorithm>
#include <cassert>
#include <utility>
#include <vector>

#include "data/checksum.hpp"

namespace dmoe::data {
namespace {

/// Writes the (height, width) image at (row, column) of a canvas of `canvas_width` columns, zeros elsewhere:
/// each pixel / 255, correctly rounded.
void place(const ImageSet& set, Index example, Index row, Index column, Index canvas_width,
           std::span<float> canvas) {
  // Rows are short and conversion likes long runs: the image as a whole. Kept, so that a step allocates
  // nothing.
  thread_local std::vector<float> intensities;
  const std::span<const std::uint8_t> pixels = set.image(example);
  intensities.resize(pixels.size());
  float* const out = intensities.data();
  for (std::size_t i = 0; i < pixels.size(); ++i) out[i] = static_cast<float>(pixels[i]) / 255.0F;
  std::fill(canvas.begin(), canvas.end(), 0.0F);
  for (Index y = 0; y < set.height; ++y)
    std::copy_n(out + y * set.width, set.width, canvas.data() + (row + y) * canvas_width + column);
}

/// Images of a shuffled epoch lie far apart in memory: asks for one ahead of its use.
void prefetch(std::span<const std::uint8_t> image) {
  constexpr std::size_t cache_line = 64;
  for (std::size_t byte = 0; byte < image.size(); byte += cache_line) __builtin_prefetch(&image[byte]);
}

}  // namespace

ImageDataset::ImageDataset(ImageSplits splits, JitterOptions options)
    : splits_(std::move(splits)),
      options_(options),
      canvas_height_(splits_.train.height + 2 * options.max_translation),
      canvas_width_(splits_.train.width + 2 * options.max_translation),
      factors_{{"class", {splits_.classes}, {"class"}}} {
  if (options.max_translation > 0) {
    const Index positions = 2 * options.max_translation + 1;
    factors_.push_back({"translation", {positions, positions}, {"row_translation", "column_translation"}});
  }
}

const ImageSet& ImageDataset::images(Split split) const {
  switch (split) {
    case Split::train:
      return splits_.train;
    case Split::validation:
      return splits_.validation;
    case Split::test:
      break;
  }
  return splits_.test;
}

std::string ImageDataset::inputs_checksum(Split split) const {
  Checksum checksum;
  checksum.add(std::span(images(split).pixels));
  return checksum.text();
}

RandomStream ImageDataset::stream(Split split, Index example, Draw draw, Index row) const {
  if (split == Split::train) {
    return {options_.train_seed, draw.purpose, draw.number(row)};
  }
  const Purpose purpose = split == Split::test ? Purpose::fixed_transform : Purpose::validation_transform;
  return {options_.test_seed, purpose, static_cast<std::uint64_t>(example)};
}

void ImageDataset::present(Split split, std::span<const Index> examples, Draw draw, Batch& batch) const {
  const ImageSet& set = images(split);
  batch.rows = static_cast<Index>(examples.size());
  assert(batch.rows <= batch.capacity());
  const MatrixView inputs = batch.inputs();
  assert(inputs.columns == input_width());
  const Index positions = 2 * options_.max_translation + 1;
  for (Index r = 0; r < batch.rows; ++r) {
    const Index example = examples[size(r)];
    constexpr Index ahead = 2;
    if (r + ahead < batch.rows) prefetch(set.image(examples[size(r + ahead)]));
    Index row = 0;
    Index column = 0;
    if (options_.max_translation > 0) {
      RandomStream random = stream(split, example, draw, r);
      row = random.below(positions);
      column = random.below(positions);
      batch.factor(1)[size(r)] = static_cast<std::int32_t>(row * positions + column);
    }
    place(set, example, row, column, canvas_width_, inputs.row(r));
    const std::int32_t label = set.labels[size(example)];
    batch.labels()[size(r)] = label;
    batch.factor(0)[size(r)] = label;
  }
}

}  // namespace dmoe::data
