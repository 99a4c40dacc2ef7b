#include "bench/even_top_k.hpp"

#include <algorithm>
#include <bit>
#include <cstdint>

namespace dmoe::bench {

namespace {

/// One step of SplitMix64 (Steele et al. 2014): scrambles a number.
std::uint64_t scrambled(std::uint64_t value) {
  value += 0x9e3779b97f4a7c15U;
  value = (value ^ (value >> 30U)) * 0xbf58476d1ce4e5b9U;
  value = (value ^ (value >> 27U)) * 0x94d049bb133111ebU;
  return value ^ (value >> 31U);
}

/// As many others as are chosen, drawn evenly with the bits of the values as their seed.
void draw(std::span<const float> values, std::span<const std::uint8_t> masked, std::vector<Index>& chosen) {
  const std::size_t count = chosen.size();
  std::uint64_t bits = 0;
  for (const float value : values.first(std::min<std::size_t>(values.size(), 4)))
    bits = scrambled(bits ^ std::bit_cast<std::uint32_t>(value));
  chosen.clear();
  while (chosen.size() < count) {
    bits = scrambled(bits);
    auto expert = static_cast<Index>(bits % values.size());
    while (masked[size(expert)] != 0 || std::ranges::find(chosen, expert) != chosen.end())
      expert = (expert + 1) % static_cast<Index>(values.size());
    chosen.push_back(expert);
  }
  std::ranges::sort(chosen);
}

}  // namespace

void EvenTopK::choose(std::span<const float> p, std::span<const std::uint8_t> masked,
                      std::vector<Index>& chosen) const {
  top_.choose(p, masked, chosen);
  draw(p, masked, chosen);
}

bool EvenTopK::choose_by_logits(std::span<const float> logits, std::span<const std::uint8_t> masked,
                                std::vector<Index>& chosen) const {
  if (!top_.choose_by_logits(logits, masked, chosen)) return false;
  draw(logits, masked, chosen);
  return true;
}

}  // namespace dmoe::bench
