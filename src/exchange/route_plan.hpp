// Who computes what for whom in a routed batch: plain arithmetic on what rows chose, nothing of MPI. A rank
// has two halves of it. At home it knows all that its rows chose; as an owner, all that chose its experts.
//
//     N = 4 experts on 2 ranks, K = 2, rows 0 and 1 at home on rank 0, row 2 on rank 1
//       row 0 chose 0, 3       rank 0   sends 0 to itself, of rows 0; 1 to rank 1, of rows 0, 1
//       row 1 chose 2, 3                owns  expert 0: rows 0, 2     expert 1: row 2
//       row 2 chose 0, 1       rank 1   sends its row 2 to rank 0
//                                       owns  expert 2: row 1         expert 3: rows 0, 1
//
// A row travels once to each rank that it needs; the sums of a block of the summation tree come back for the
// rows that chose an expert in it. Neither half grows with the rows of other homes that chose nothing here.
#pragma once

#include <span>
#include <vector>

#include "exchange/homes.hpp"
#include "exchange/topology.hpp"
#include "model/choices.hpp"

namespace dmoe::exchange {

/// One choice of one row, as it travels: (row of the batch, expert, gate value in use), as numbers (exact:
/// there are far fewer rows and experts than 2^24).
struct Choice {
  static constexpr Index columns = 3;
  Index row;
  Index expert;
  float value;
};

/// The half of the home of rows.
class SentPlan {
 public:
  explicit SentPlan(const Topology& topology);

  /// Plans what the rows at home here chose: row b of the choices is row first + b of the batch. Memory grows
  /// to what the largest batch takes, O(rows K + E). Local.
  void make(const model::ConstChoices& choices, Index first);

  /// What goes to an owner is [begin(owner), begin(owner + 1)), rows ascending, experts of a row ascending.
  Index begin(Index owner) const { return begin_[size(owner)]; }
  Index count() const { return begin_.back(); }
  const Choice& choice(Index number) const { return choices_[size(number)]; }
  /// Among the choices of its row.
  Index place(Index number) const { return place_[size(number)]; }
  /// Rows, counted from the first at home, that chose an expert of an owner, ascending.
  std::span<const Index> rows(Index owner) const { return rows_[size(owner)]; }
  /// Those that chose an expert of a block. Blocks of all ranks are numbered from left to right.
  std::span<const Index> block_rows(Index number) const { return block_rows_[size(number)]; }

 private:
  std::vector<int> owner_;       // (N)
  std::vector<Index> block_of_;  // (N): number of the block that an expert is in
  std::vector<Index> begin_;     // (E + 1)
  std::vector<Index> next_;      // (E): scratch
  std::vector<Choice> choices_;
  std::vector<Index> place_;
  std::vector<std::vector<Index>> rows_;        // (E)
  std::vector<std::vector<Index>> block_rows_;  // of all blocks
};

/// The half of the owner of experts.
class OwnedPlan {
 public:
  OwnedPlan(const Topology& topology, Index rank);

  /// Begins anew. Local.
  void clear() { arrived_.clear(); }
  /// Adds a choice of an own expert: rows ascending, experts of a row ascending. Local.
  void add(const Choice& choice) { arrived_.push_back(choice); }
  /// Plans these. Local.
  void make();

  std::span<const Choice> arrived() const { return arrived_; }
  /// An entry is one row of one own expert. Those of expert i are [begin(i), begin(i + 1)), rows ascending.
  Index begin(Index expert) const { return begin_[size(expert - own_.first)]; }
  /// Of an entry: its row of the batch, the place of that among rows(), and its gate value in use.
  Index row(Index entry) const { return row_[size(entry)]; }
  std::span<const Index> entry_rows() const { return row_; }
  std::span<const Index> entry_places() const { return place_; }
  std::span<const float> values() const { return value_; }
  /// The entry of an arrived choice.
  Index entry_of(Index arrival) const { return entry_of_[size(arrival)]; }

  /// Rows of the batch that chose an own expert, ascending.
  std::span<const Index> rows() const { return rows_; }
  /// The own blocks, and the rows that chose an expert in one, ascending.
  const std::vector<model::TreeBlock>& blocks() const { return blocks_; }
  std::span<const Index> block_rows(Index k) const { return block_rows_[size(k)]; }
  /// Of ascending rows, the range of those that are at home in `of`. Local.
  static model::RowRange within(std::span<const Index> rows, const model::RowRange& of);
  /// The range of arrived choices of these rows. Local.
  model::RowRange arrived_of(const model::RowRange& rows) const;

 private:
  ExpertRange own_;
  std::vector<model::TreeBlock> blocks_;
  std::vector<Index> block_of_;  // (own experts)
  std::vector<Choice> arrived_;
  std::vector<Index> begin_;  // (own experts + 1)
  std::vector<Index> next_;   // (own experts): scratch
  std::vector<Index> row_, place_, entry_of_;
  std::vector<float> value_;
  std::vector<Index> rows_;
  std::vector<std::vector<Index>> block_rows_;
};

struct RoutePlan {
  RoutePlan(const Topology& of, Index rank);
  Topology topology;
  /// The blocks of a rank are [first_block[rank], first_block[rank + 1]).
  std::vector<Index> first_block;
  std::vector<model::TreeBlock> blocks;  // of all ranks, from left to right
  SentPlan sent;
  OwnedPlan owned;
};

}  // namespace dmoe::exchange
