#include "scale/layout.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace dmoe::scale {

std::string to_text(const Layout& layout) {
  if (layout.ranks() == 1) return "one rank";
  if (layout.replicas == 1) return fmt::format("{} shards", layout.shards);
  if (layout.shards == 1) return fmt::format("{} replicas", layout.replicas);
  return fmt::format("{} replicas of {} ranks", layout.replicas, layout.shards);
}

std::vector<Layout> layouts_of(Index ranks, Index slices, Index most_experts,
                               const std::vector<Gating>& gatings) {
  std::vector<Layout> layouts;
  for (Index replicas = 1; replicas <= std::min(slices, ranks); ++replicas) {
    const Index shards = ranks / replicas;
    if (ranks % replicas != 0 || shards > std::max(most_experts, Index{1})) continue;
    for (const Gating gating : gatings)
      if (shards > 1) layouts.push_back({replicas, shards, gating});
    if (shards == 1) layouts.push_back({replicas, 1, Gating::coordinator});
  }
  return layouts;
}

}  // namespace dmoe::scale
