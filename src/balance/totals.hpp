// Assignment totals G_i: how many examples' worth of gate each expert has had.
//
// Stored as int64 counts of 2^-24 of an example, each gate value rounded to that grid before it is added, so
// that the sum is exact in any order and over any number of ranks.
#pragma once

#include <cmath>
#include <cstdint>

namespace dmoe::balance {

/// A total in units of 2^-24 of an example.
using Total = std::int64_t;

inline constexpr double units_per_example = 0x1p24;

/// A gate value in 0 .. 1 on the grid of the totals, half to even; 0 for what is not a number. Local.
inline Total to_total(float gate) {
  if (!(gate > 0)) return 0;
  return static_cast<Total>(std::lrint(static_cast<double>(gate) * units_per_example));
}

/// A total in examples. Local.
inline double to_examples(Total total) {
  return static_cast<double>(total) / units_per_example;
}

}  // namespace dmoe::balance
