// Small networks with weights that every rank can make alone, and a step of training.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "distribution/network.hpp"
#include "support/random_matrix.hpp"

namespace dmoe::test {

/// Values of axis 0 = 1 of a tensor.
inline Index block_size(const model::Parameter& parameter) {
  Index block = 1;
  for (std::size_t axis = 1; axis < parameter.shape.size(); ++axis) block *= parameter.shape[axis];
  return block;
}

/// Sets every parameter, biases included, to values in +-scale that do not depend on the ranks. Local.
inline void set_random_weights(distribution::Network& network, std::uint64_t seed, float scale) {
  std::uint64_t tensor = 0;
  network.for_each_parameter([&](const model::Parameter& parameter) {
    const Index block = block_size(parameter);
    const Matrix whole = random_matrix(parameter.shape.front(), block, 1000 * (seed + 1) + tensor++);
    if (parameter.count == 0) return;
    const auto own = whole.view().rows_from(parameter.first, parameter.count).values();
    std::ranges::transform(own, parameter.values.begin(), [&](float value) { return scale * value; });
  });
}

/// w <- w - rate dw. Local.
inline void descend(distribution::Network& network, float rate) {
  network.for_each_parameter([&](const model::Parameter& parameter) {
    for (std::size_t i = 0; i < parameter.values.size(); ++i)
      parameter.values[i] -= rate * parameter.gradient[i];
  });
}

/// 0, 1, .., classes - 1, 0, 1, .. (B)
inline std::vector<std::int32_t> round_robin_labels(Index batch, Index classes) {
  std::vector<std::int32_t> labels;
  for (Index b = 0; b < batch; ++b) labels.push_back(narrow<std::int32_t>(b % classes));
  return labels;
}

}  // namespace dmoe::test
