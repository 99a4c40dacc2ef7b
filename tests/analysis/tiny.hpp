// A tiny data set with two factors, a network for it, and its gates by a naive way.
#pragma once

#include <numeric>
#include <vector>

#include "data/dataset.hpp"
#include "distribution/network.hpp"

namespace dmoe::analysis::test {

inline constexpr Index examples = 50;
inline constexpr Index width = 6;

/// Factor 0 is the class of 3, factor 1 a place of (2, 2), of which level 3 never comes; example i always
/// looks the same.
class TinyDataset final : public data::Dataset {
 public:
  Index input_width() const override { return width; }
  Index class_count() const override { return 3; }
  Index example_count(data::Split split) const override { return split == data::Split::test ? examples : 0; }
  const std::vector<data::Factor>& factors() const override { return factors_; }
  void present(data::Split /*split*/, std::span<const Index> shown, data::Draw /*draw*/,
               data::Batch& batch) const override {
    batch.rows = static_cast<Index>(shown.size());
    for (Index r = 0; r < batch.rows; ++r) {
      RandomStream stream(1, Purpose::test, static_cast<std::uint64_t>(shown[size(r)]));
      for (float& x : batch.inputs().row(r)) x = stream.uniform(-3, 3);
      batch.labels()[size(r)] = class_of(shown[size(r)]);
      batch.factor(0)[size(r)] = class_of(shown[size(r)]);
      batch.factor(1)[size(r)] = place_of(shown[size(r)]);
    }
  }
  static std::int32_t class_of(Index example) { return static_cast<std::int32_t>(example % 3); }
  static std::int32_t place_of(Index example) { return static_cast<std::int32_t>(example / 7 % 3); }

 private:
  std::vector<data::Factor> factors_{{"class", {3}, {"class"}}, {"place", {2, 2}, {"row", "column"}}};
};

inline const model::NetworkSpec spec{width, 3, {{7, 5, 4}, {4, 3, 2}}};

/// The gates (examples, N) of a layer, by a network of one rank.
inline std::vector<std::vector<float>> gates_of(Index layer) {
  const comm::Communicator alone = comm::Communicator::local();
  distribution::Network network(spec, alone, 3, examples);
  const TinyDataset dataset;
  data::Batch batch(examples, width, 2);
  std::vector<Index> all(size(examples));
  std::iota(all.begin(), all.end(), 0);
  dataset.present(data::Split::test, all, {}, batch);
  network.forward(batch.inputs(), network.no_masks());
  std::vector<std::vector<float>> rows;
  for (Index b = 0; b < examples; ++b) {
    const auto row = network.gates(layer).row(b);
    rows.emplace_back(row.begin(), row.end());
  }
  return rows;
}

}  // namespace dmoe::analysis::test
