// Where each row of a replica's batch is at home: on the rank that gates it and holds its z, head and loss.
//
//     6 rows on 3 ranks      coordinator gating: rank 0 has 0 .. 5      gating by rows: 0 1 | 2 3 | 4 5
//
// A home has whole slices of the gate (model/slices.hpp), which follow each other; so do the homes.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "comm/communicator.hpp"
#include "core/matrix.hpp"
#include "core/types.hpp"
#include "model/slices.hpp"

namespace dmoe::exchange {

/// Layout: who gates the rows of a replica. The coordinator all of them, or each rank its own.
enum class Gating { coordinator, rows };
/// "coordinator", "rows". Local.
std::string to_text(Gating gating);
std::vector<std::string> gating_names();
/// Throws InputError for a name that is none. Local.
Gating gating_named(const std::string& name);

/// Of the slices here, those that are at home on a rank: [first, first + count). Local.
struct SliceRange {
  Index first = 0;
  Index count = 0;
};
SliceRange slices_at_home(Gating gating, Index slices, Index ranks, Index rank);

class Homes {
 public:
  /// All rows at the coordinator's. Local.
  Homes(const comm::Communicator& ranks, Index rows);
  /// Of `rows` rows in these slices of one replica. Local.
  Homes(const comm::Communicator& ranks, Index rows, Gating gating, const model::Slices& slices);

  Index rows() const { return starts_.back(); }  // B of the replica
  Index ranks() const { return static_cast<Index>(starts_.size()) - 1; }
  Index own_rank() const { return rank_; }
  model::RowRange of(Index rank) const {
    return {starts_[size(rank)], starts_[size(rank + 1)] - starts_[size(rank)]};
  }
  model::RowRange own() const { return of(rank_); }
  /// Whether this rank has all of them.
  bool are_here() const { return own().count == rows(); }
  /// Whether they can be anywhere but at the coordinator's.
  bool are_dealt() const { return gating_ == Gating::rows; }
  /// Whether this rank can have any: it takes part in the gates' sums even where it has none.
  bool has_gates() const { return are_dealt() || rank_ == 0; }
  /// (ranks + 1): where the rows of each rank begin.
  std::span<const Index> starts() const { return starts_; }
  /// Calls visit(rank, rows) for every other rank that has rows.
  template <class Visit>
  void for_each_other(const Visit& visit) const {
    for (Index hop = 1; hop < ranks(); ++hop) {  // not all to the same one at a time
      const Index rank = (rank_ + hop) % ranks();
      if (of(rank).count > 0) visit(narrow<int>(rank), of(rank));
    }
  }

 private:
  Gating gating_ = Gating::coordinator;
  Index rank_;
  std::vector<Index> starts_;
};

/// Rows of a batch that are on this rank: values(r) is row first + r of the replica's batch.
struct BatchRows {
  ConstMatrixView values;
  Index first = 0;
  ConstMatrixView of(const model::RowRange& rows) const {
    return rows.count == 0 ? ConstMatrixView{nullptr, 0, values.columns}
                           : values.rows_from(rows.first - first, rows.count);
  }
};

}  // namespace dmoe::exchange
