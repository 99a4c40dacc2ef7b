// How P ranks stand: R replicas of the network, each split over E ranks, P = R E.
//
//                  e = 0   e = 1   e = 2
//     replica 0      0       1       2      a row is a group: one network, its experts sharded
//     replica 1      3       4       5      its first rank is the replica's coordinator
//                  a column: ranks that hold the same parts of the network
//
// A batch is cut into S slices (model/slices.hpp), which are shared out to the replicas as experts are to
// ranks. How many slices is recipe, R is layout: the bits are the same for any.
#pragma once

#include <memory>

#include "comm/communicator.hpp"
#include "core/types.hpp"
#include "model/slices.hpp"

namespace dmoe::exchange {

class Grid {
 public:
  /// One replica of all ranks, which must outlive the grid. Local.
  Grid(const comm::Communicator& world);  // NOLINT(google-explicit-constructor): the ranks of a network
  /// As many replicas of a batch of up to `batch_rows` rows in as many slices. Throws InputError where the
  /// ranks cannot be shared out so, or a replica would have no slice. Collective.
  Grid(const comm::Communicator& world, Index replicas, Index slices, Index batch_rows);

  /// Throws InputError where that constructor would. Local.
  static void check(Index ranks, Index replicas, Index slices);

  const comm::Communicator& world() const { return *world_; }
  /// The ranks of this rank's replica, between which its experts are shared out.
  const comm::Communicator& group() const { return group_ ? *group_ : *world_; }
  /// The ranks that hold the same parts of the network as this one: rank r is that of replica r.
  const comm::Communicator& column() const { return *column_; }

  Index replicas() const { return column().size(); }  // R
  Index replica() const { return column().rank(); }
  /// Those of this replica.
  const model::Slices& slices() const { return slices_; }
  /// The most rows of a batch that any replica has: of one of up to `batch_rows`. Local.
  Index most_rows(Index batch_rows) const;
  /// Those of any replica. Local.
  model::Slices slices_of(Index replica) const;

 private:
  const comm::Communicator* world_;
  std::shared_ptr<const comm::Communicator> group_;  // none: the world
  std::shared_ptr<const comm::Communicator> column_;
  Index batch_rows_ = 0;
  model::Slices slices_ = model::Slices::whole();
};

}  // namespace dmoe::exchange
