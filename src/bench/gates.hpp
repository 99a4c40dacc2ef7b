// The gates of a network alone, on one rank.
#pragma once

#include <deque>

#include "core/matrix.hpp"
#include "model/gate.hpp"

namespace dmoe::bench {

/// All that the gates do in a training step, the choice of experts included, on random inputs.
class Gates {
 public:
  /// The routing must outlive it.
  Gates(const model::NetworkSpec& spec, const model::Routing& routing, Index rows);
  /// Forward and backward of each, `count` times. Local.
  void steps(Index count);

 private:
  struct Layer {
    model::Gate gate;
    std::vector<std::uint8_t> masked;  // (N): nobody
    Matrix x, choices, d_values, d_x;  // d_x has no rows in the first layer
  };
  const model::Routing& routing_;
  std::deque<Layer> layers_;
};

}  // namespace dmoe::bench
