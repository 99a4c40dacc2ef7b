// Work dealt to ranks: each number is computed by one of them and is 0 on the others until it is shared, so
// that it has the same bits whoever computes it.
#pragma once

#include <bit>
#include <concepts>
#include <cstdint>
#include <span>
#include <vector>

#include "comm/communicator.hpp"
#include "core/types.hpp"

namespace dmoe::analysis {

/// Whether piece number `piece` of the work is this rank's. Local.
inline bool is_dealt(const comm::Communicator& ranks, Index piece) {
  return piece % ranks.size() == ranks.rank();
}

/// Pieces [first, end) of `count`, a rank's contiguous share. Local.
struct Share {
  Index first;
  Index end;
};
inline Share share_of(const comm::Communicator& ranks, Index count) {
  return {ranks.rank() * count / ranks.size(), (ranks.rank() + 1) * count / ranks.size()};
}

/// The numbers that each rank computed on every rank; those that it did not are all bits 0. Collective.
template <class Number>
requires(sizeof(Number) == sizeof(std::int64_t)) void fill_in(const comm::Communicator& ranks,
                                                              std::span<Number> numbers) {
  constexpr std::size_t at_once = std::size_t{1} << 20;
  if (ranks.size() == 1) return;
  std::vector<std::int64_t> bits;
  for (std::size_t first = 0; first < numbers.size(); first += at_once) {
    const std::span<Number> part = numbers.subspan(first, std::min(at_once, numbers.size() - first));
    bits.resize(part.size());
    for (std::size_t i = 0; i < part.size(); ++i) bits[i] = std::bit_cast<std::int64_t>(part[i]);
    ranks.all_reduce(bits);
    for (std::size_t i = 0; i < part.size(); ++i) part[i] = std::bit_cast<Number>(bits[i]);
  }
}

}  // namespace dmoe::analysis
