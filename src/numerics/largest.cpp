#include "numerics/largest.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <functional>
#include <limits>

namespace dmoe::numerics {

namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();

/// What at least `count` scores reach, and few more do: the scores are dealt to 32 parts, and of the largest
/// of each part it is the one of that rank. -infinity where that does not pay.
float bound_of(std::size_t count, std::span<const float> scores) {
  constexpr std::size_t parts = 32;
  if (count > parts / 4 || scores.size() < 4 * parts) return -infinity;
  std::array<float, parts> largest{};
  largest.fill(-infinity);
  for (std::size_t begin = 0; begin + parts <= scores.size(); begin += parts) {
    for (std::size_t part = 0; part < parts; ++part)
      largest[part] = scores[begin + part] > largest[part] ? scores[begin + part] : largest[part];
  }
  const auto last = largest.begin() + static_cast<std::ptrdiff_t>(count);
  std::partial_sort(largest.begin(), last, largest.end(), std::greater<>());
  return largest[count - 1];
}

constexpr std::size_t block = 16;

/// Whether any score of a block reaches a bound, or is not a number. GCC would take one after the other if
/// this were part of a larger loop.
[[gnu::noinline]] bool has_candidate(const float* scores, float bound) {
  unsigned found = 0;
  for (std::size_t i = 0; i < block; ++i) found |= scores[i] < bound ? 0U : 1U;
  return found != 0;
}

/// find_largest among those that reach a bound.
bool find_above(float bound, std::size_t count, std::span<const float> scores,
                std::span<const std::uint8_t> masked, std::vector<Index>& largest) {
  const auto is_larger = [&](Index a, Index b) { return scores[size(a)] > scores[size(b)]; };
  largest.clear();
  for (std::size_t begin = 0; begin < scores.size(); begin += block) {
    const std::size_t end = std::min(begin + block, scores.size());
    if (end - begin == block && !has_candidate(&scores[begin], bound)) continue;
    for (std::size_t i = begin; i < end; ++i) {
      if (scores[i] < bound || masked[i] != 0) continue;
      if (std::isnan(scores[i])) return false;
      const auto place = static_cast<Index>(i);
      if (largest.size() == count) {
        if (!is_larger(place, largest.back())) continue;
        largest.pop_back();
      }
      largest.insert(std::upper_bound(largest.begin(), largest.end(), place, is_larger), place);
      if (largest.size() == count) bound = scores[size(largest.back())];
    }
  }
  return true;
}

}  // namespace

bool find_largest(std::size_t count, std::span<const float> scores, std::span<const std::uint8_t> masked,
                  std::vector<Index>& largest) {
  assert(count >= 1 && masked.size() == scores.size());
  const float bound = bound_of(count, scores);
  if (!find_above(bound, count, scores, masked, largest)) return false;
  // Those that reach the bound may be masked.
  return largest.size() == count || bound == -infinity ||
         find_above(-infinity, count, scores, masked, largest);
}

}  // namespace dmoe::numerics
