// The ways to set P ranks to work on one training.
#pragma once

#include <string>
#include <vector>

#include "core/types.hpp"
#include "exchange/homes.hpp"

namespace dmoe::scale {

using exchange::Gating;

/// R replicas of E ranks, P = R E.
struct Layout {
  Index replicas = 1;  // R
  Index shards = 1;    // E
  Gating gating = Gating::coordinator;
  Index ranks() const { return replicas * shards; }
  bool operator==(const Layout&) const = default;
};

/// "4 replicas of 2 ranks", "4 shards", "one rank". Local.
std::string to_text(const Layout& layout);

/// Those of `ranks` ranks in which each has work: R divides P and is at most `slices`, E is at most
/// `most_experts`, or 1. Fewest replicas first, of one shard the coordinator's gating alone. Local.
std::vector<Layout> layouts_of(Index ranks, Index slices, Index most_experts,
                               const std::vector<Gating>& gatings = {Gating::coordinator});

}  // namespace dmoe::scale
