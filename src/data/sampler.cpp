#include "data/sampler.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "core/random.hpp"

namespace dmoe::data {

EpochSampler::EpochSampler(Index example_count, Index batch_size, std::uint64_t seed)
    : example_count_(example_count), batch_size_(batch_size), seed_(seed) {
  if (example_count < 1)
    throw InputError("the training set has {} examples, expected at least 1", example_count);
  if (batch_size < 1) throw InputError("train.batch_size must be at least 1, got {}", batch_size);
}

Index EpochSampler::steps_per_epoch() const {
  return example_count_ / batch_size_ + (example_count_ % batch_size_ != 0 ? 1 : 0);
}

std::span<const Index> EpochSampler::examples(Index step) {
  const Index epoch = step / steps_per_epoch();
  if (epoch != epoch_) {
    shuffled(example_count_, RandomStream(seed_, Purpose::shuffle, static_cast<std::uint64_t>(epoch)),
             order_);
    epoch_ = epoch;
  }
  const Index first = step % steps_per_epoch() * batch_size_;
  return std::span(order_).subspan(size(first), size(std::min(batch_size_, example_count_ - first)));
}

Index EpochSampler::first_presentation(Index step) const {
  return step / steps_per_epoch() * example_count_ + step % steps_per_epoch() * batch_size_;
}

}  // namespace dmoe::data
