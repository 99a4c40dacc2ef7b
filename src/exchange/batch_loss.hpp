// The loss of a batch, whose slices stand with one replica or several.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "exchange/grid.hpp"
#include "numerics/kernels.hpp"

namespace dmoe::exchange {

/// The losses of all slices, added in their order: each replica's coordinator brings those of its own, as
/// bits of integers, 0 elsewhere, and one all-reduce of 16 S bytes between the coordinators sums them.
class BatchLoss {
 public:
  explicit BatchLoss(const Grid& grid);

  /// Starts with the losses of the own slices; on coordinators. Collective over the column.
  void start(std::span<const numerics::Loss> own);
  /// The loss of the batch on coordinators, zero elsewhere. Collective over the column.
  numerics::Loss finish();

 private:
  Grid grid_;
  std::vector<std::int64_t> values_;  // (S, 2): the bits of a sum, and errors
  comm::Request request_;
};

}  // namespace dmoe::exchange
