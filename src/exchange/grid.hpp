// How P ranks stand: R replicas of the network, each split over E ranks, P = R E.
//
//                  e = 0   e = 1   e = 2
//     replica 0      0       1       2      a row is a group: one network, its experts sharded
//     replica 1      3       4       5      its first rank is the replica's coordinator
//                  a column: ranks that hold the same experts
//
// A batch is cut into S slices (model/slices.hpp), which are shared out to the replicas as experts are to
// ranks; what gates, heads and layers that are not split do with its rows is cut finer, into S T slices. How
// many slices is recipe, R and who gates (homes.hpp) are layout: the bits are the same for any.
#pragma once

#include <memory>
#include <vector>

#include "comm/communicator.hpp"
#include "core/types.hpp"
#include "exchange/homes.hpp"
#include "model/slices.hpp"

namespace dmoe::exchange {

/// How a batch of up to `rows` rows is cut: of the recipe.
struct BatchCut {
  Index rows = 0;
  Index slices = 1;         // S
  Index gate_slices = 0;    // S T; 0: as many as slices
  Index passed_slices = 0;  // of the gate, of a batch in evaluation; 0: S T
  Index parts() const { return gate_slices == 0 ? 1 : gate_slices / slices; }  // T
  Index slices_of_passes() const { return passed_slices == 0 ? slices * parts() : passed_slices; }
};

class Grid {
 public:
  /// One replica of all ranks, which must outlive the grid. Local.
  Grid(const comm::Communicator& world);  // NOLINT(google-explicit-constructor): the ranks of a network
  /// As many replicas. Throws InputError where check() would. Collective.
  Grid(const comm::Communicator& world, Index replicas, const BatchCut& cut,
       Gating gating = Gating::coordinator);

  /// Throws InputError where ranks cannot be shared out so: a replica would have no slice, or a rank that
  /// gates its own rows no slice of the gate. Local.
  static void check(Index ranks, Index replicas, const BatchCut& cut, Gating gating = Gating::coordinator);

  /// The most ranks of a replica that can gate rows of their own. Local.
  static Index most_gating_ranks(const BatchCut& cut, Index replicas) {
    return cut.slices / replicas * cut.parts();
  }

  const comm::Communicator& world() const { return *world_; }
  /// The ranks of this rank's replica, between which its experts are shared out.
  const comm::Communicator& group() const { return group_ ? *group_ : *world_; }
  /// The ranks that hold the same experts as this one: rank r is that of replica r.
  const comm::Communicator& column() const { return *column_; }
  Gating gating() const { return gating_; }
  /// Whether rows can be at home here: on coordinators, or on all ranks.
  bool has_gates() const { return gating_ == Gating::rows || group().is_coordinator(); }
  /// Those ranks, where this is one: of one replica after the other.
  const comm::Communicator& homes() const { return gating_ == Gating::rows ? *world_ : *column_; }

  /// The rank of the world that is rank r of column() or of homes(). Local.
  int rank_of(const comm::Communicator& holders, int r) const {
    return &holders == world_ ? r : r * group().size() + group().rank();
  }

  Index replicas() const { return column().size(); }  // R
  Index replica() const { return column().rank(); }
  /// Those of this replica.
  const model::Slices& slices() const { return slices_; }
  /// Those of the gate that are at home here, of a batch in training.
  const model::Slices& gate_slices() const { return gate_slices_; }
  /// The most rows of a batch that any replica has: of one of up to `batch_rows`. Local.
  Index most_rows(Index batch_rows) const;
  Index most_rows() const { return most_rows(cut_.rows); }
  /// Of rank r of the column, and of rank r of homes(). Local.
  std::vector<model::Slices> slices_of_column() const;
  std::vector<model::Slices> slices_of_homes() const;

  /// Where `rows` rows of this replica are at home in training. Local.
  Homes training_homes(Index rows) const;
  /// Where the rows of a batch that this replica has alone are: in as many slices of the gate. Local.
  Homes evaluation_homes(Index rows) const;
  model::Slices evaluation_slices(Index rows) const;
  Index evaluation_slice_count() const { return cut_.slices_of_passes(); }

 private:
  Index parts() const { return cut_.parts(); }  // T
  model::Slices slices_of(Index replica) const;
  /// Of the gate, of a whole replica, and of one of its ranks.
  model::Slices gate_slices_of(Index replica) const;
  model::Slices gate_slices_of(Index replica, Index rank) const;

  const comm::Communicator* world_;
  std::shared_ptr<const comm::Communicator> group_;  // none: the world
  std::shared_ptr<const comm::Communicator> column_;
  BatchCut cut_;
  Gating gating_ = Gating::coordinator;
  model::Slices slices_ = model::Slices::whole();
  model::Slices gate_slices_ = model::Slices::whole();
};

}  // namespace dmoe::exchange
