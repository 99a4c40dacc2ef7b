// Who computes what for whom in a routed batch: plain arithmetic on what the rows chose, the same on every
// rank, nothing of MPI.
//
//     N = 4 experts on 2 ranks, K = 2          entries, by expert        rows a rank needs   rows of a block
//       row 0 chose 0, 3                         expert 0: rows 0, 2       rank 0: 0, 2        [0 1]: 0, 2
//       row 1 chose 2, 3                         expert 1: row 2           rank 1: 0, 1        [2 3]: 0, 1
//       row 2 chose 0, 1                         expert 2: row 1
//                                                expert 3: rows 0, 1
//
// The rows that a rank needs travel to it once each; the sums of a block of the summation tree come back for
// the rows that chose an expert in it.
#pragma once

#include <span>
#include <vector>

#include "exchange/topology.hpp"
#include "model/choices.hpp"

namespace dmoe::exchange {

class RoutePlan {
 public:
  explicit RoutePlan(const Topology& topology);

  /// Plans a batch. Memory grows to what the largest batch takes, O(B K) and what the ranks need. Local.
  void make(const model::ConstChoices& choices);

  const Topology& topology() const { return topology_; }
  const model::ConstChoices& choices() const { return choices_; }

  /// An entry is one row of one expert. Those of expert i are [begin(i), begin(i + 1)), rows ascending; those
  /// of a rank follow each other.
  Index begin(Index expert) const { return begin_[size(expert)]; }
  Index count(Index expert) const { return begin(expert + 1) - begin(expert); }
  Index entries_of(const ExpertRange& range) const { return begin(range.end()) - begin(range.first); }
  /// Of an entry: its row of the batch, its place j among the choices of that row, its gate value in use, and
  /// the place of its row among rows(rank) of the owner of its expert.
  Index row(Index entry) const { return row_[size(entry)]; }
  Index place(Index entry) const { return place_[size(entry)]; }
  float value(Index entry) const { return value_[size(entry)]; }
  Index arrival(Index entry) const { return arrival_[size(entry)]; }
  std::span<const Index> arrivals() const { return arrival_; }
  std::span<const Index> entry_rows() const { return row_; }
  std::span<const float> values() const { return value_; }

  /// Rows of the batch that chose an expert of a rank, ascending.
  std::span<const Index> rows(Index rank) const { return rows_[size(rank)]; }
  /// The blocks of all ranks, numbered from left to right: those of a rank are [first_block(rank),
  /// first_block(rank + 1)).
  Index first_block(Index rank) const { return first_block_[size(rank)]; }
  const model::TreeBlock& block(Index number) const { return blocks_[size(number)]; }
  /// Rows of the batch that chose an expert of a block, ascending.
  std::span<const Index> block_rows(Index number) const { return block_rows_[size(number)]; }
  /// Of all blocks of a rank.
  Index block_row_count(Index rank) const;

 private:
  Topology topology_;
  std::vector<int> owner_;                // (N)
  std::vector<model::TreeBlock> blocks_;  // of all ranks
  std::vector<Index> first_block_;        // (E + 1)
  std::vector<Index> block_of_;           // (N): number of the block that an expert is in
  model::ConstChoices choices_;
  std::vector<Index> begin_;  // (N + 1)
  std::vector<Index> row_, place_, arrival_;
  std::vector<float> value_;
  std::vector<Index> next_;  // (N): scratch
  std::vector<std::vector<Index>> rows_;
  std::vector<std::vector<Index>> block_rows_;
};

}  // namespace dmoe::exchange
