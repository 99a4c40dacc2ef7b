// What ranks say to each other within a layer whose experts all compute all rows. Each class owns its
// buffers, which grow to the largest batch, and its requests; all counts follow from the topology and the
// homes of the rows (homes.hpp), so every rank knows every size. Homes must outlive a batch.
#pragma once

#include <vector>

#include "comm/communicator.hpp"
#include "core/matrix.hpp"
#include "exchange/homes.hpp"
#include "exchange/topology.hpp"

namespace dmoe::exchange {

/// Where rows that were computed at home are needed: there, or on every rank of the replica.
enum class Reach { home, everywhere };

/// A matrix whose rows are computed at home, and read there or on every rank: gate values, z, dz.
///
///     every rank   begin(homes, reach)   own() = ..   share()   ..other work meanwhile..   arrived()
///     finish()
class SharedMatrix {
 public:
  SharedMatrix(const comm::Communicator& ranks, Index columns, Contents contents = Contents::numbers)
      : ranks_(&ranks), matrix_(columns, contents) {}

  /// For the rows of a batch. Local.
  void begin(const Homes& homes, Reach reach);
  /// (rows at home here, columns), to be filled before share() or after finish(). Local.
  MatrixView own();
  /// Starts to send them to all others; with the reach for it. Collective.
  void share();
  /// The rows that are here, to be read only: those at home at once, which may still be on their way to
  /// others, and where the matrix was shared all of them, after their arrival. Local.
  BatchRows arrived();
  /// Ends the sharing. Local.
  void finish() { request_.wait(); }

 private:
  const comm::Communicator* ranks_;
  const Homes* homes_ = nullptr;
  Reach reach_ = Reach::home;
  GrowingMatrix matrix_;
  comm::Request request_;
};

/// A sum over all experts of (B, width) leaves, wherever they are, to each row's home, along the fixed tree:
/// every rank sends its sums of each of its blocks, the home combines them.
class TreeReduction {
 public:
  TreeReduction(const comm::Communicator& ranks, const Topology& topology, Index width, comm::Tag tag);

  /// Starts the receives, so that messages land in place. Collective.
  void begin(const Homes& homes);
  /// (B, width) of own block k, to be filled between begin and send.
  MatrixView block(Index k) { return own_.rows_from(k * homes_->rows(), homes_->rows()); }
  const std::vector<model::TreeBlock>& blocks() const { return blocks_[size(ranks_->rank())]; }
  /// Sends the own blocks to the homes of their rows. Collective.
  void send();
  /// The sum (rows at home here, width), after send(). Collective.
  void combine(MatrixView sum);

 private:
  const comm::Communicator* ranks_;
  comm::Tag tag_;
  Index experts_;
  std::vector<std::vector<model::TreeBlock>> blocks_;  // (E)
  Index others_blocks_ = 0;
  const Homes* homes_ = nullptr;
  GrowingMatrix own_;       // (own blocks B, width)
  GrowingMatrix received_;  // (blocks of other ranks x rows at home here, width)
  std::vector<comm::Request> requests_;
  std::vector<model::BlockSum> sums_;  // scratch
};

/// dLoss/dg, computed where the experts are, gathered at each row's home.
class GateGradient {
 public:
  GateGradient(const comm::Communicator& ranks, const Topology& topology);

  /// Starts the receives. Collective.
  void begin(const Homes& homes);
  /// (B, own experts): to be filled between begin and send.
  MatrixView own() { return own_.rows_from(0, homes_->rows()); }
  /// Sends the own columns to the homes of their rows. Collective.
  void send();
  /// (rows at home here, N). Collective.
  ConstMatrixView collect();

 private:
  const comm::Communicator* ranks_;
  Topology topology_;
  const Homes* homes_ = nullptr;
  GrowingMatrix own_;       // (B, own experts)
  GrowingMatrix received_;  // (rows at home here, N) values: of each rank's experts one table after the other
  GrowingMatrix all_;       // (rows at home here, N)
  std::vector<comm::Request> requests_;
};

/// The outputs (B, H) of all experts side by side, (B, N H), at each row's home, and the gradient of that on
/// the way back. In messages and on their owner the experts stand one below the other, (count B, H).
class Concatenation {
 public:
  Concatenation(const comm::Communicator& ranks, const Topology& topology, Index hidden);

  /// Starts the receives. Collective.
  void begin_gather(const Homes& homes);
  /// Sends the own experts' outputs (count B, H), which must stay as they are until collect(). Collective.
  void send(ConstMatrixView own);
  /// all (rows at home here, N H). Collective.
  void collect(ConstMatrixView own, MatrixView all);
  /// Starts to send every owner its part of d_all (rows at home here, N H). Collective.
  void scatter(ConstMatrixView d_all);
  /// (count B, H): the own part of what was scattered. Local.
  ConstMatrixView arrived();
  /// Ends the scatter. Local.
  void finish();

 private:
  /// Of `count` experts from i on, whose tables (rows, H) stand one below the other.
  MatrixView tables(Index i, Index count, Index rows) {
    return {gathered_.rows_from(0, 1).data + i * rows * hidden_, count * rows, hidden_};
  }
  void wait();
  const comm::Communicator* ranks_;
  Topology topology_;
  ExpertRange range_;  // own
  Index hidden_;
  const Homes* homes_ = nullptr;
  GrowingMatrix gathered_;  // (N, rows at home here, H) values
  GrowingMatrix own_;       // (count B, H): the gradient
  std::vector<comm::Request> requests_;
};

}  // namespace dmoe::exchange
