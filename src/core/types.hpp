// The integer that counts and indexes everything (rows, experts, examples), and the checked way out of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <type_traits>

#include <fmt/format.h>

namespace dmoe {

using Index = std::int64_t;

/// The same value in a narrower integer type; throws std::range_error where it does not fit. Local.
template <class To, class From>
constexpr To narrow(From value) {
  static_assert(std::is_integral_v<To> && std::is_integral_v<From>);
  const To result = static_cast<To>(value);
  if (static_cast<From>(result) != value || (result < To{}) != (value < From{})) {
    throw std::range_error(fmt::format("{} does not fit into {} bits", value, 8 * sizeof(To)));
  }
  return result;
}

/// For indexing standard containers. Local.
constexpr std::size_t size(Index count) {
  return static_cast<std::size_t>(count);
}

}  // namespace dmoe
