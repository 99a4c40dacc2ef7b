// Examples without numbers.
#pragma once

#include <vector>

#include "core/simulation.hpp"
#include "data/dataset.hpp"

namespace dmoe::simulation {

/// As many examples as asked for, all of class 0. Presenting them is charged as copying them.
class BlankDataset final : public data::Dataset {
 public:
  BlankDataset(Index examples, Index inputs, Index classes)
      : examples_(examples), inputs_(inputs), factors_{{"class", {classes}, {"class"}}} {}

  Index input_width() const override { return inputs_; }
  Index class_count() const override { return factors_.front().level_count(); }
  Index example_count(data::Split split) const override {
    return split == data::Split::train ? examples_ : 0;
  }
  const std::vector<data::Factor>& factors() const override { return factors_; }
  void present(data::Split /*split*/, std::span<const Index> examples, data::Draw /*draw*/,
               data::Batch& batch) const override {
    batch.rows = static_cast<Index>(examples.size());
    charge(Unit::byte, 2 * static_cast<Index>(sizeof(float)) * batch.rows * inputs_);
  }

 private:
  Index examples_;
  Index inputs_;
  std::vector<data::Factor> factors_;
};

}  // namespace dmoe::simulation
