// Which examples a training step sees: a pure function of (seed, step).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/types.hpp"

namespace dmoe::data {

/// Presents every example once an epoch, in an order reshuffled each epoch (stream: seed, shuffle, epoch).
/// The last batch of an epoch is smaller where batch_size does not divide the number of examples.
class EpochSampler {
 public:
  EpochSampler(Index example_count, Index batch_size, std::uint64_t seed);

  Index steps_per_epoch() const;
  /// The examples of step t = 0, 1, ..; valid until the next call. Steps may be asked in any order. Local.
  std::span<const Index> examples(Index step);
  /// The number of the first presentation of step t, counted from the start of training over all epochs.
  Index first_presentation(Index step) const;

 private:
  Index example_count_;
  Index batch_size_;
  std::uint64_t seed_;
  Index epoch_ = -1;          // the epoch that order_ belongs to
  std::vector<Index> order_;  // (example_count)
};

}  // namespace dmoe::data
