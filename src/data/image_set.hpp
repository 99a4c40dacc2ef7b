// Grey-scale images with labels, in memory: what the image data sets are made of.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

#include "core/types.hpp"

namespace dmoe::data {

/// n images of one shape.
struct ImageSet {
  Index height = 0;
  Index width = 0;
  std::vector<std::uint8_t> pixels;  // (n, height, width)
  std::vector<std::int32_t> labels;  // (n)

  Index count() const { return static_cast<Index>(labels.size()); }
  /// (height, width)
  std::span<const std::uint8_t> image(Index i) const {
    return std::span(pixels).subspan(size(i * height * width), size(height * width));
  }
};

/// The parts of a data set; the images of all parts have one shape. `validation` may be empty.
struct ImageSplits {
  Index classes = 0;
  ImageSet train;
  ImageSet validation;
  ImageSet test;
};

/// The files {train,t10k}-{images-idx3,labels-idx1}-ubyte of a folder, plain or with .gz. Throws InputError
/// where one is missing or damaged, where images and labels differ in number, or train and test in shape.
/// Local.
ImageSplits load_image_folder(const std::filesystem::path& folder, Index classes);

/// Moves `count` examples of the training set into the validation set: the first ones of a permutation keyed
/// by (test_seed, validation_split, 0), so the same ones whatever the training seed. Both keep the order of
/// the training set. Throws InputError unless 0 <= count < n. Local.
void hold_out_validation(ImageSplits& splits, Index count, std::uint64_t test_seed);

}  // namespace dmoe::data
