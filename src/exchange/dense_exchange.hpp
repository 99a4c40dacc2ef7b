// What ranks say to each other within a layer. Each class owns its buffers, made once for the largest batch,
// and its requests; all counts follow from the topology, so every rank knows every size.
#pragma once

#include <vector>

#include "comm/communicator.hpp"
#include "core/matrix.hpp"
#include "exchange/topology.hpp"

namespace dmoe::exchange {

/// A matrix that the coordinator computes and every rank reads: gate values, a layer's input, dz.
///
///     coordinator  matrix(B) = ..  share(B)  ..own work meanwhile..                 finish()
///     others                       share(B)  ..own work meanwhile..  arrived(B)     finish()
class SharedMatrix {
 public:
  SharedMatrix(const comm::Communicator& ranks, Index capacity, Index columns)
      : ranks_(&ranks), matrix_(capacity, columns) {}

  /// (rows, columns): for the coordinator to fill, before share() or after finish().
  MatrixView matrix(Index rows) { return matrix_.first_rows(rows); }
  /// Starts the broadcast of the first rows. Collective.
  void share(Index rows) { request_ = ranks_->start_broadcast(matrix_.first_rows(rows).values()); }
  /// The coordinator's values, to be read only: at once on the coordinator, which may still be sending them,
  /// after their arrival elsewhere. Local.
  ConstMatrixView arrived(Index rows) {
    if (!ranks_->is_coordinator()) request_.wait();
    return matrix_.first_rows(rows);
  }
  /// Ends the broadcast on the coordinator too. Local.
  void finish() { request_.wait(); }

 private:
  const comm::Communicator* ranks_;
  Matrix matrix_;
  comm::Request request_;
};

/// A sum over all experts of (B, width) leaves, wherever they are, onto the coordinator, along the fixed
/// tree: every rank sends the sums of its blocks in one message, the coordinator combines them.
class TreeReduction {
 public:
  TreeReduction(const comm::Communicator& ranks, const Topology& topology, Index capacity, Index width,
                comm::Tag tag);

  /// Starts the receives on the coordinator, so that messages land in place. Collective.
  void begin(Index rows);
  /// (B, width) of own block k, to be filled between begin and send.
  MatrixView block(Index k) { return own_.view().rows_from(k * rows_, rows_); }
  const std::vector<model::TreeBlock>& blocks() const { return blocks_; }
  /// Sends the own blocks to the coordinator. Collective.
  void send();
  /// The sum (B, width), on the coordinator, after send(); other ranks finish their send. Collective.
  void combine(MatrixView sum);

 private:
  struct Peer {
    int rank;
    std::vector<model::TreeBlock> blocks;
    Matrix values;  // (blocks capacity, width)
    comm::Request request;
  };
  const comm::Communicator* ranks_;
  comm::Tag tag_;
  Index experts_;
  Index rows_ = 0;
  std::vector<model::TreeBlock> blocks_;  // own
  Matrix own_;                            // (blocks capacity, width)
  comm::Request sent_;
  std::vector<Peer> peers_;            // coordinator only: the other ranks that own experts
  std::vector<model::BlockSum> sums_;  // coordinator only: scratch of combine
};

/// dLoss/dg, computed where the experts are, gathered on the coordinator.
class GateGradient {
 public:
  GateGradient(const comm::Communicator& ranks, const Topology& topology, Index capacity);

  /// Starts the receives on the coordinator. Collective.
  void begin(Index rows);
  /// (B, own experts): to be filled between begin and send.
  MatrixView own() { return own_.first_rows(rows_); }
  /// Sends the own columns to the coordinator. Collective.
  void send();
  /// (B, N) on the coordinator, empty elsewhere; other ranks finish their send. Collective.
  ConstMatrixView collect();

 private:
  struct Peer {
    int rank;
    ExpertRange range;
    Matrix values;  // (capacity, range.count)
    comm::Request request;
  };
  void place(const ExpertRange& range, ConstMatrixView columns);
  const comm::Communicator* ranks_;
  Index rows_ = 0;
  ExpertRange range_;  // own
  Matrix own_;         // (capacity, own experts)
  comm::Request sent_;
  std::vector<Peer> peers_;  // coordinator only: the other ranks that own experts
  Matrix all_;               // coordinator only: (capacity, N)
};

/// The outputs (B, H) of all experts side by side, (B, N H), on the coordinator, and the gradient of that on
/// the way back. In a message and on their owner the experts stand one below the other, (count B, H).
class Concatenation {
 public:
  Concatenation(const comm::Communicator& ranks, const Topology& topology, Index capacity, Index hidden);

  /// Starts the receives on the coordinator. Collective.
  void begin_gather(Index rows);
  /// Sends the own experts' outputs (count B, H), which must stay as they are until collect(). Collective.
  void send(ConstMatrixView own);
  /// all (B, N H), on the coordinator; other ranks finish their send. Collective.
  void collect(ConstMatrixView own, MatrixView all);
  /// Starts to send every owner its part of d_all (B, N H), which counts on the coordinator. Collective.
  void scatter(ConstMatrixView d_all);
  /// (count B, H): the own part of what was scattered. Local.
  ConstMatrixView arrived();
  /// Ends the scatter on the coordinator too. Local.
  void finish();

 private:
  struct Part {
    int rank;
    ExpertRange range;
    Matrix values;  // (range.count capacity, H)
    comm::Request request{};
    MatrixView rows(Index rows) { return values.first_rows(range.count * rows); }
  };
  const comm::Communicator* ranks_;
  Index hidden_;
  Index rows_ = 0;
  Part own_;                 // the gradient; its request is that of a send or a receive
  std::vector<Part> peers_;  // coordinator only: the other ranks that own experts
};

}  // namespace dmoe::exchange
