// What ranks that hold the same parameters say to each other: gradients, summed along the tree over slices,
// and the weights that follow from them. Of experts these are replicas of one rank; of gates, heads and
// layers that are not split, all ranks that gate rows.
//
//     every rank                                           the owner of a chunk
//     its sums over its own slices, of each chunk   ->     g = the sum along the tree over all slices
//                                                          steps the weights of the chunk
//     the weights                                   <-     to all others
//
// The values of a rank, all parameters one after the other, are cut into as many chunks of equal length as
// there are such ranks, R. Every rank sends and receives 4 V (R-1)/R bytes either way, where each has one
// block of the tree; V are the values of the rank.
//
// Where R is a power of two and each rank has one subtree, as large as every other, sums can be made pair by
// pair on the way: recursive halving, nearest neighbours first, is that tree. So many ranks, from 8 on, whose
// chunks are short, send log2 R messages either way in place of R - 1.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "comm/communicator.hpp"
#include "core/matrix.hpp"
#include "exchange/topology.hpp"
#include "model/parameters.hpp"
#include "model/slices.hpp"

namespace dmoe::exchange {

/// What this rank owns of a parameter.
struct OwnedPart {
  std::size_t first = 0;      // of the parameter's values
  std::span<float> gradient;  // as long as the part: of the whole batch, once it was summed
};

class ReplicaExchange {
 public:
  /// Of these parameters, which every one of `ranks` holds, and rank r has their gradients' sums over
  /// slices[r]. What is given by reference must outlive it, as must the parameters. Local.
  ReplicaExchange(const comm::Communicator& ranks, const std::vector<model::Slices>& slices,
                  std::vector<model::Parameter> parameters, Index fewest_to_halve = 8);

  const comm::Communicator& ranks() const { return *ranks_; }
  std::size_t holders() const { return pieces_.size(); }  // R
  /// The first of them, who collects. Local.
  bool is_first() const { return ranks_->is_coordinator(); }
  /// Of parameter number p. Local.
  OwnedPart owned(std::size_t p) const { return owned_[p]; }
  /// Sums the gradients of the last backward pass into what each rank owns. Collective.
  void sum_gradients();
  /// Those sums, whole, into every parameter's gradient. Collective.
  void share_gradients();
  /// The weights, by their owners. Collective.
  void share_weights();
  /// On rank 0, whole[p] := the values of parameter p, as long, of whose owned part every rank has own[p];
  /// nothing elsewhere. Collective.
  void collect(const std::vector<std::span<const float>>& own, std::vector<std::vector<float>>& whole);
  /// The lowest of `ranks` whose weights are not those of most, or, of two, of the first. Collective, and
  /// the same on all.
  std::optional<int> differing_holder() const;

 private:
  /// A stretch of one parameter's values in the chunk of one rank.
  struct Piece {
    std::size_t parameter;
    std::size_t first;
    std::size_t count;
    std::size_t place;  // among the values of all parameters
    std::span<float> of(std::span<float> values) const { return values.subspan(first, count); }
  };
  std::size_t own() const { return static_cast<std::size_t>(ranks_->rank()); }
  /// Sends the own chunk to all others, each its chunk from them; which(p) are the values of parameter p.
  template <class Values>
  void share(comm::Tag tag, const Values& which);
  void send_blocks();
  void combine();

  /// Whether halving makes the sums.
  bool can_halve(Index fewest) const;
  /// Chunks of a range that a rank keeps where it parts with the one at a distance, a power of two, and those
  /// that the other keeps.
  struct Halves {
    ExpertRange kept;
    ExpertRange given;
  };
  Halves halves(const ExpertRange& chunks, Index distance) const;
  std::span<float> values_of(const ExpertRange& chunks);
  void swap_with(Index distance, std::span<const float> sent, std::span<float> received, comm::Tag tag);
  void halve();
  template <class Values>
  void double_up(comm::Tag tag, const Values& which);

  const comm::Communicator* ranks_;
  Index slices_ = 0;  // of the whole batch
  std::vector<model::Parameter> parameters_;
  Topology chunks_;                                    // of all values
  std::vector<std::vector<Piece>> pieces_;             // (R), of each rank's chunk
  std::vector<std::vector<model::TreeBlock>> blocks_;  // (R), of each rank
  std::vector<Matrix> received_;  // (R): (its blocks, values of the own chunk); own: none
  std::vector<OwnedPart> owned_;  // of each parameter
  bool halves_ = false;
  Matrix all_;       // (1, V) where sums are made by halving, else nothing
  Matrix incoming_;  // (1, V/2) then
  std::vector<comm::Request> requests_;
  std::vector<model::BlockSum> sums_;  // scratch
};

}  // namespace dmoe::exchange
