// An enum and its strings side by side.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>
#include <vector>

#include <fmt/ranges.h>

#include "core/error.hpp"

namespace dmoe {

/// The names of an enum whose values count from 0, in their order.
template <class Enum, std::size_t count>
struct EnumNames {
  const char* kind;  // what they name: "layer kind"
  std::array<const char*, count> names;

  std::string text(Enum value) const { return names[static_cast<std::size_t>(value)]; }
  /// Throws InputError, with all names, for one that is none of them. Local.
  Enum named(const std::string& name) const {
    const auto found = std::find(names.begin(), names.end(), name);
    if (found == names.end())
      throw InputError("unknown {} '{}'; known: {}", kind, name, fmt::join(names, ", "));
    return static_cast<Enum>(found - names.begin());
  }
  std::vector<std::string> all() const { return {names.begin(), names.end()}; }
};

}  // namespace dmoe
