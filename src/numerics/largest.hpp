// The largest of many numbers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/types.hpp"

namespace dmoe::numerics {

/// largest: where the `count` >= 1 largest of the scores (N) that are not masked stand, or all where there
/// are fewer; the largest first, of equals the lower index first. masked (N), nonzero: masked. False where a
/// score that is not masked is not a number: then `largest` says nothing. For a few among many. Local.
bool find_largest(std::size_t count, std::span<const float> scores, std::span<const std::uint8_t> masked,
                  std::vector<Index>& largest);

}  // namespace dmoe::numerics
