#include "exchange/batch_loss.hpp"

#include <algorithm>
#include <bit>

namespace dmoe::exchange {

BatchLoss::BatchLoss(const Grid& grid)
    : grid_(grid), values_(grid.has_gates() ? size(2 * grid.gate_slices().slices()) : 0) {}

void BatchLoss::start(std::span<const numerics::Loss> own) {
  if (values_.empty()) return;
  std::ranges::fill(values_, std::int64_t{0});
  std::size_t place = 2 * size(grid_.gate_slices().first());
  for (const numerics::Loss& loss : own) {
    values_[place++] = std::bit_cast<std::int64_t>(loss.sum);
    values_[place++] = loss.errors;
  }
  request_ = grid_.homes().start_all_reduce(values_);
}

numerics::Loss BatchLoss::finish() {
  request_.wait();
  numerics::Loss loss;
  for (std::size_t s = 0; s < values_.size(); s += 2)
    loss += {std::bit_cast<double>(values_[s]), values_[s + 1]};
  return loss;
}

}  // namespace dmoe::exchange
