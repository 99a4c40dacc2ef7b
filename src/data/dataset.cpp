#include "data/dataset.hpp"

#include <algorithm>
#include <functional>
#include <numeric>

#include "data/checksum.hpp"

namespace dmoe::data {
namespace {

/// The whole split in order, a batch at a time.
void for_each_batch(const Dataset& dataset, Split split, const std::function<void(const Batch&)>& visit) {
  constexpr Index most_rows = 256;
  Batch batch(most_rows, dataset.input_width(), dataset.factors().size());
  std::vector<Index> examples;
  const Index count = dataset.example_count(split);
  for (Index begin = 0; begin < count; begin += most_rows) {
    examples.resize(size(std::min(most_rows, count - begin)));
    std::iota(examples.begin(), examples.end(), begin);
    dataset.present(split, examples, {Purpose::train_transform, 0}, batch);
    visit(batch);
  }
}

}  // namespace

std::vector<std::int32_t> Dataset::labels(Split split) const {
  std::vector<std::int32_t> all;
  for_each_batch(*this, split, [&](const Batch& batch) {
    all.insert(all.end(), batch.labels().begin(), batch.labels().end());
  });
  return all;
}

std::string Dataset::inputs_checksum(Split split) const {
  Checksum checksum;
  for_each_batch(*this, split, [&](const Batch& batch) { checksum.add(batch.inputs().values()); });
  return checksum.text();
}

}  // namespace dmoe::data
