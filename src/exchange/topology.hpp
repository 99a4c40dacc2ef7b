// Who owns which expert: plain arithmetic, the same on every rank, nothing of MPI.
//
//     7 experts on 3 ranks        rank 0: 0 1      rank 1: 2 3      rank 2: 4 5 6
//     blocks of the tree          [0 1]            [2 3]            [4 5 6 .]
//
// Contiguous ranges that differ by one expert at most; where N is not a multiple of the ranks, the
// coordinator is among those with fewer, since it gates as well.
#pragma once

#include <vector>

#include "core/types.hpp"
#include "model/summation_tree.hpp"

namespace dmoe::exchange {

/// Experts [first, first + count).
struct ExpertRange {
  Index first = 0;
  Index count = 0;
  Index end() const { return first + count; }
  bool operator==(const ExpertRange&) const = default;
};

/// The split of one layer's N experts over the ranks of an expert group.
class Topology {
 public:
  Topology(Index experts, Index ranks) : experts_(experts), ranks_(ranks) {}

  Index experts() const { return experts_; }
  Index ranks() const { return ranks_; }
  /// What a rank owns; empty where the layer has fewer experts than ranks. Local.
  ExpertRange range(Index rank) const {
    const Index first = rank * experts_ / ranks_;
    return {first, (rank + 1) * experts_ / ranks_ - first};
  }
  /// The rank that owns an expert. Local.
  Index owner(Index expert) const { return ((expert + 1) * ranks_ - 1) / experts_; }
  /// The subtrees whose sums a rank contributes, from left to right. Local.
  std::vector<model::TreeBlock> blocks(Index rank) const {
    const ExpertRange own = range(rank);
    return model::maximal_blocks(own.first, own.end(), experts_);
  }

 private:
  Index experts_;
  Index ranks_;
};

}  // namespace dmoe::exchange
