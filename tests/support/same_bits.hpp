// Floats that are the same to the last bit, NaN and the sign of 0 included.
#pragma once

#include <cstring>
#include <span>

#include "core/matrix.hpp"

namespace dmoe::test {

/// Local.
inline bool same_bits(std::span<const float> a, std::span<const float> b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size_bytes()) == 0);
}
inline bool same_bits(ConstMatrixView a, ConstMatrixView b) {
  return same_bits(a.values(), b.values());
}

}  // namespace dmoe::test
