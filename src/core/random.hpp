// Counter-based random streams: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3",
// SC 2011). A stream is a pure function of (seed, purpose, index), never of the rank that draws from it.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "core/types.hpp"

namespace dmoe {

/// What a stream is for. The numbers are part of the file format of every seed ever published: append only.
enum class Purpose : std::uint32_t {
  shuffle = 1,               // index: epoch
  train_transform = 2,       // index: presentation
  fixed_transform = 3,       // index: example of the test set
  evaluation_transform = 4,  // index: presentation within the evaluations of the training set
  initialisation = 5,        // index: tensor (see initialise in model/parameters.hpp)
  validation_split = 6,      // index: 0
  validation_transform = 7,  // index: example of the validation set
  synthetic = 8,             // index: chosen by the data set
  bench = 9,
  test = 10,
  permutation = 11,        // index: factor x permutations + permutation
  permutation_place = 12,  // the same: where the levels of each group begin
  gate_noise = 13,         // index: presentation x 2^16 + layer
  self_test = 14,
};

/// The stream of one (seed, purpose, index): 2^34 words long. Local.
class RandomStream {
 public:
  RandomStream(std::uint64_t seed, Purpose purpose, std::uint64_t index);

  /// The next 32 random bits.
  std::uint32_t word() {
    if (used_ == block_.size()) refill();
    return block_[used_++];
  }
  /// Uniform in [0, 1), a multiple of 2^-24.
  float uniform() { return static_cast<float>(word() >> 8U) * 0x1p-24F; }
  /// Uniform in [low, high).
  float uniform(float low, float high) { return low + (high - low) * uniform(); }
  /// Normal with mean 0 and deviation 1 (Box and Muller 1958); two words a value.
  float normal();
  /// Uniform in 0 .. bound - 1, without bias (Lemire 2019). Needs 1 <= bound < 2^32.
  Index below(Index bound);

 private:
  void refill();
  std::array<std::uint32_t, 2> key_;
  std::array<std::uint32_t, 4> counter_;
  std::array<std::uint32_t, 4> block_{};
  std::size_t used_ = 4;
};

/// Puts 0 .. count - 1 into `order` in the random order of the stream (Fisher-Yates). Local.
void shuffled(Index count, RandomStream stream, std::vector<Index>& order);

}  // namespace dmoe
