// Jittered images (paper, experiment 1): each image stands at a random translation on a larger canvas of
// zeros.
//
// With images (h, w) and translations of -t .. t pixels on each axis, D = (h + 2t)(w + 2t). With t = 0 the
// images are presented as they are.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "data/dataset.hpp"
#include "data/image_set.hpp"

namespace dmoe::data {

struct JitterOptions {
  Index max_translation = 0;     // t [pixels], >= 0
  std::uint64_t train_seed = 0;  // keys the translations of the training set
  std::uint64_t test_seed = 0;   // keys those of the test and validation set, one per example for good
};

/// Images of pixel value / 255. Factors: "class" (C) and, where t > 0, "translation" (2t+1, 2t+1), whose
/// level (t, t) is the image in the middle of the canvas.
class ImageDataset final : public Dataset {
 public:
  ImageDataset(ImageSplits splits, JitterOptions options);

  Index input_width() const override { return canvas_height_ * canvas_width_; }
  Index class_count() const override { return splits_.classes; }
  Index example_count(Split split) const override { return images(split).count(); }
  const std::vector<Factor>& factors() const override { return factors_; }
  std::vector<Index> example_shape() const override { return {splits_.train.height, splits_.train.width}; }
  std::vector<std::int32_t> labels(Split split) const override { return images(split).labels; }
  std::string inputs_checksum(Split split) const override;
  void present(Split split, std::span<const Index> examples, Draw draw, Batch& batch) const override;

  const ImageSplits& splits() const { return splits_; }

 private:
  const ImageSet& images(Split split) const;
  RandomStream stream(Split split, Index example, Draw draw, Index row) const;

  ImageSplits splits_;
  JitterOptions options_;
  Index canvas_height_;
  Index canvas_width_;
  std::vector<Factor> factors_;
};

}  // namespace dmoe::data
