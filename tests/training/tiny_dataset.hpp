// A data set of a few made-up examples, whose training split moves with the draw as a real one does.
#pragma once

#include <span>
#include <vector>

#include "data/dataset.hpp"

namespace dmoe::test {

class TinyDataset : public data::Dataset {
 public:
  static constexpr Index inputs = 6;
  static constexpr Index classes = 3;

  TinyDataset(Index train, Index validation, Index test)
      : train_(train), validation_(validation), test_(test) {}

  Index input_width() const override { return inputs; }
  Index class_count() const override { return classes; }
  Index example_count(data::Split split) const override {
    return split == data::Split::train ? train_ : split == data::Split::test ? test_ : validation_;
  }
  const std::vector<data::Factor>& factors() const override { return factors_; }

  void present(data::Split split, std::span<const Index> examples, data::Draw draw,
               data::Batch& batch) const override {
    batch.rows = static_cast<Index>(examples.size());
    for (Index r = 0; r < batch.rows; ++r) {
      const auto example = static_cast<std::uint64_t>(examples[size(r)]);
      RandomStream fixed(0, Purpose::synthetic, example + 1000 * static_cast<std::uint64_t>(split));
      RandomStream moving(0, draw.purpose, draw.number(r));
      const auto label = static_cast<std::int32_t>(fixed.below(classes));
      for (Index d = 0; d < inputs; ++d) {
        float& value = batch.inputs()(r, d);
        value = fixed.uniform(-1.0F, 1.0F) + (d == label ? 1.0F : 0.0F);
        if (split == data::Split::train) value += 0.3F * moving.uniform();
      }
      batch.labels()[size(r)] = label;
      batch.factor(0)[size(r)] = label;
    }
  }

 private:
  Index train_;
  Index validation_;
  Index test_;
  std::vector<data::Factor> factors_{{"class", {classes}, {"class"}}};
};

}  // namespace dmoe::test
