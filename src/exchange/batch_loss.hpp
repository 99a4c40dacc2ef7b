// The loss of a batch, whose rows are at home on several ranks.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "exchange/grid.hpp"
#include "numerics/kernels.hpp"

namespace dmoe::exchange {

/// The losses of all slices of the gate, added in their order: each home brings those of its own, as bits of
/// integers, 0 elsewhere, and one all-reduce of 16 S T bytes between the homes sums them.
class BatchLoss {
 public:
  explicit BatchLoss(const Grid& grid);

  /// Starts with the losses of the own slices; on ranks with gates. Collective over the homes.
  void start(std::span<const numerics::Loss> own);
  /// The loss of the batch on these, zero elsewhere. Collective over the homes.
  numerics::Loss finish();

 private:
  Grid grid_;
  std::vector<std::int64_t> values_;  // (S T, 2): the bits of a sum, and errors
  comm::Request request_;
};

}  // namespace dmoe::exchange
