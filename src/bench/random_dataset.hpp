// Examples of random numbers, as many in each split.
#pragma once

#include <vector>

#include "data/dataset.hpp"

namespace dmoe::bench {

/// Inputs uniform in [-1, 1), labels even. Test and training split are the same.
class RandomDataset final : public data::Dataset {
 public:
  RandomDataset(Index examples, Index inputs, Index classes);

  Index input_width() const override { return inputs_.columns(); }
  Index class_count() const override { return factors_.front().level_count(); }
  Index example_count(data::Split split) const override {
    return split == data::Split::validation ? 0 : inputs_.rows();
  }
  const std::vector<data::Factor>& factors() const override { return factors_; }
  void present(data::Split split, std::span<const Index> examples, data::Draw draw,
               data::Batch& batch) const override;

 private:
  Matrix inputs_;                     // (examples, D)
  std::vector<std::int32_t> labels_;  // (examples)
  std::vector<data::Factor> factors_;
};

}  // namespace dmoe::bench
