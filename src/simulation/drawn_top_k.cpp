#include "simulation/drawn_top_k.hpp"

#include <algorithm>

#include "core/simulation.hpp"

namespace dmoe::simulation {

namespace {

/// One step of SplitMix64 (Steele et al. 2014): scrambles a number.
std::uint64_t scrambled(std::uint64_t value) {
  value += 0x9e3779b97f4a7c15U;
  value = (value ^ (value >> 30U)) * 0xbf58476d1ce4e5b9U;
  value = (value ^ (value >> 27U)) * 0x94d049bb133111ebU;
  return value ^ (value >> 31U);
}

}  // namespace

void DrawnTopK::choose(std::span<const float> p, std::span<const std::uint8_t> /*masked*/,
                       std::vector<Index>& chosen) const {
  const auto experts = static_cast<Index>(p.size());
  charge(Unit::logit, experts);
  std::uint64_t bits = scrambled((gate_ << 40U) + row_++);
  chosen.clear();
  while (static_cast<Index>(chosen.size()) < most_chosen(experts)) {
    bits = scrambled(bits);
    auto expert = static_cast<Index>(bits % p.size());
    while (std::ranges::find(chosen, expert) != chosen.end()) expert = (expert + 1) % experts;
    chosen.push_back(expert);
  }
  std::ranges::sort(chosen);
}

bool DrawnTopK::choose_by_logits(std::span<const float> logits, std::span<const std::uint8_t> masked,
                                 std::vector<Index>& chosen) const {
  choose(logits, masked, chosen);
  return true;
}

}  // namespace dmoe::simulation
