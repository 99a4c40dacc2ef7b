#include "bench/random_dataset.hpp"

#include <algorithm>

#include "core/random.hpp"

namespace dmoe::bench {

RandomDataset::RandomDataset(Index examples, Index inputs, Index classes)
    : inputs_(examples, inputs), factors_{{"class", {classes}, {"class"}}} {
  RandomStream stream(0, Purpose::bench, 2);
  for (float& value : inputs_.values()) value = stream.uniform(-1.0F, 1.0F);
  for (Index i = 0; i < examples; ++i) labels_.push_back(static_cast<std::int32_t>(stream.below(classes)));
}

void RandomDataset::present(data::Split /*split*/, std::span<const Index> examples, data::Draw /*draw*/,
                            data::Batch& batch) const {
  batch.rows = static_cast<Index>(examples.size());
  for (Index r = 0; r < batch.rows; ++r) {
    std::ranges::copy(inputs_.view().row(examples[size(r)]), batch.inputs().row(r).begin());
    batch.labels()[size(r)] = batch.factor(0)[size(r)] = labels_[size(examples[size(r)])];
  }
}

}  // namespace dmoe::bench
