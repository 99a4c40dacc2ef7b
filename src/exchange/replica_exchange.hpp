// What replicas say to each other: gradients, summed along the tree over slices, and the weights that follow
// from them.
//
//     every rank                                           the owner of a chunk (of each column, rank r)
//     its sums over its own slices, of each chunk   ->     g = the sum along the tree over all slices
//                                                          steps the weights of the chunk
//     the weights                                   <-     to all others
//
// The values of a rank, all parameters one after the other, are cut into R chunks of equal length. Every rank
// of a column sends and receives 4 V (R-1)/R bytes either way, where a replica has one block of the tree; V
// are the values of the rank.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "core/matrix.hpp"
#include "exchange/grid.hpp"
#include "model/parameters.hpp"

namespace dmoe::exchange {

/// What this rank owns of a parameter.
struct OwnedPart {
  std::size_t first = 0;      // of the parameter's values
  std::span<float> gradient;  // as long as the part: of the whole batch, once it was summed
};

class ReplicaExchange {
 public:
  /// Of the parameters of this rank, which must outlive it; the same list in every rank of the column. Local.
  ReplicaExchange(const Grid& grid, std::vector<model::Parameter> parameters);

  /// Of parameter number p. Local.
  OwnedPart owned(std::size_t p) const { return owned_[p]; }
  /// Sums the gradients of the last backward pass into what each rank owns. Collective over the column.
  void sum_gradients();
  /// Those sums, whole, into every parameter's gradient. Collective over the column.
  void share_gradients();
  /// The weights, by their owners. Collective over the column.
  void share_weights();
  /// On replica 0, whole[p] := the values of parameter p, as long, of whose owned part every rank has own[p];
  /// nothing elsewhere. Collective over the column.
  void collect(const std::vector<std::span<const float>>& own, std::vector<std::vector<float>>& whole);
  /// The lowest replica whose weights are not those of most, or, of two, of the first. Collective over the
  /// column, and the same on all of it.
  std::optional<int> differing_replica() const;

 private:
  /// A stretch of one parameter's values in the chunk of one replica.
  struct Piece {
    std::size_t parameter;
    std::size_t first;
    std::size_t count;
    std::span<float> of(std::span<float> values) const { return values.subspan(first, count); }
  };
  std::size_t own() const { return static_cast<std::size_t>(grid_.replica()); }
  std::size_t replicas() const { return pieces_.size(); }
  /// Sends the own chunk to all others, each its chunk from them; which(p) are the values of parameter p.
  template <class Values>
  void share(comm::Tag tag, const Values& which);
  void wait();
  void combine();

  Grid grid_;
  std::vector<model::Parameter> parameters_;
  std::vector<std::vector<Piece>> pieces_;             // (R), of each chunk
  std::vector<std::vector<model::TreeBlock>> blocks_;  // (R), of each replica
  std::vector<Matrix> received_;  // (R): (its blocks, values of the own chunk); own: none
  std::vector<OwnedPart> owned_;  // of each parameter
  std::vector<comm::Request> requests_;
  std::vector<model::BlockSum> sums_;  // scratch
};

}  // namespace dmoe::exchange
