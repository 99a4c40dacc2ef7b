// Matrices of random values that are the same on every run and rank.
#pragma once

#include <cstdint>

#include "core/matrix.hpp"
#include "core/random.hpp"

namespace dmoe::test {

/// (rows, columns), uniform in [-1, 1), set by `index`. Local.
inline Matrix random_matrix(Index rows, Index columns, std::uint64_t index) {
  RandomStream stream(0, Purpose::test, index);
  Matrix matrix(rows, columns);
  for (float& value : matrix.values()) value = stream.uniform(-1.0F, 1.0F);
  return matrix;
}

}  // namespace dmoe::test
