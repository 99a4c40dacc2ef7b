#include "exchange/dense_exchange.hpp"

#include <algorithm>
#include <cassert>

namespace dmoe::exchange {

using model::BlockSum;

TreeReduction::TreeReduction(const comm::Communicator& ranks, const Topology& topology, Index capacity,
                             Index width, comm::Tag tag)
    : ranks_(&ranks),
      tag_(tag),
      experts_(topology.experts()),
      blocks_(topology.blocks(ranks.rank())),
      own_(static_cast<Index>(blocks_.size()) * capacity, width) {
  if (!ranks.is_coordinator()) return;
  std::size_t block_count = blocks_.size();
  for (int rank = 1; rank < ranks.size(); ++rank) {
    std::vector<model::TreeBlock> blocks = topology.blocks(rank);
    if (blocks.empty()) continue;
    block_count += blocks.size();
    const Index rows = static_cast<Index>(blocks.size()) * capacity;
    peers_.push_back({rank, std::move(blocks), Matrix(rows, width), {}});
  }
  sums_.reserve(block_count);
}

void TreeReduction::begin(Index rows) {
  rows_ = rows;
  for (Peer& peer : peers_) {
    const auto values = peer.values.first_rows(static_cast<Index>(peer.blocks.size()) * rows).values();
    peer.request = ranks_->start_receive(values, peer.rank, tag_);
  }
}

void TreeReduction::send() {
  if (ranks_->is_coordinator() || blocks_.empty()) return;
  sent_ = ranks_->start_send(own_.first_rows(static_cast<Index>(blocks_.size()) * rows_).values(), 0, tag_);
}

void TreeReduction::combine(MatrixView sum) {
  sent_.wait();
  if (!ranks_->is_coordinator()) return;
  sums_.clear();
  const auto add = [&](const std::vector<model::TreeBlock>& blocks, const Matrix& values) {
    for (std::size_t k = 0; k < blocks.size(); ++k) {
      const ConstMatrixView block = values.view().rows_from(static_cast<Index>(k) * rows_, rows_);
      sums_.push_back(BlockSum{blocks[k], block.data});
    }
  };
  add(blocks_, own_);
  for (Peer& peer : peers_) {
    peer.request.wait();
    add(peer.blocks, peer.values);
  }
  model::combine_blocks(sums_, experts_, sum);
}

Concatenation::Concatenation(const comm::Communicator& ranks, const Topology& topology, Index capacity,
                             Index hidden)
    : ranks_(&ranks), hidden_(hidden) {
  const auto part = [&](int rank) {
    const ExpertRange range = topology.range(rank);
    return Part{rank, range, Matrix(range.count * capacity, hidden)};
  };
  own_ = part(ranks.rank());
  if (!ranks.is_coordinator()) return;
  for (int rank = 1; rank < ranks.size(); ++rank) {
    if (topology.range(rank).count > 0) peers_.push_back(part(rank));
  }
}

void Concatenation::begin_gather(Index rows) {
  rows_ = rows;
  for (Part& peer : peers_) {
    peer.request = ranks_->start_receive(peer.rows(rows).values(), peer.rank, comm::Tag::expert_outputs);
  }
}

void Concatenation::send(ConstMatrixView own) {
  if (ranks_->is_coordinator() || own_.range.count == 0) return;
  own_.request = ranks_->start_send(own.values(), 0, comm::Tag::expert_outputs);
}

void Concatenation::collect(ConstMatrixView own, MatrixView all) {
  own_.request.wait();
  if (!ranks_->is_coordinator()) return;
  const auto place = [&](const ExpertRange& range, ConstMatrixView outputs) {
    for (Index i = 0; i < range.count; ++i) {
      for (Index b = 0; b < rows_; ++b)
        std::ranges::copy(outputs.row(i * rows_ + b), all.row(b).begin() + (range.first + i) * hidden_);
    }
  };
  place(own_.range, own);
  for (Part& peer : peers_) {
    peer.request.wait();
    place(peer.range, peer.rows(rows_));
  }
}

void Concatenation::scatter(ConstMatrixView d_all) {
  if (!ranks_->is_coordinator()) {
    if (own_.range.count == 0) return;
    own_.request = ranks_->start_receive(own_.rows(rows_).values(), 0, comm::Tag::expert_output_gradients);
    return;
  }
  const auto pick = [&](Part& part) {
    const MatrixView values = part.rows(rows_);
    for (Index i = 0; i < part.range.count; ++i) {
      for (Index b = 0; b < rows_; ++b) {
        const auto columns = d_all.row(b).subspan(size((part.range.first + i) * hidden_), size(hidden_));
        std::ranges::copy(columns, values.row(i * rows_ + b).begin());
      }
    }
  };
  for (Part& peer : peers_) {
    pick(peer);
    peer.request =
        ranks_->start_send(peer.rows(rows_).values(), peer.rank, comm::Tag::expert_output_gradients);
  }
  pick(own_);
}

ConstMatrixView Concatenation::arrived() {
  own_.request.wait();
  return own_.rows(rows_);
}

void Concatenation::finish() {
  for (Part& peer : peers_) peer.request.wait();
}

GateGradient::GateGradient(const comm::Communicator& ranks, const Topology& topology, Index capacity)
    : ranks_(&ranks), range_(topology.range(ranks.rank())), own_(capacity, range_.count) {
  if (!ranks.is_coordinator()) return;
  all_ = Matrix(capacity, topology.experts());
  for (int rank = 1; rank < ranks.size(); ++rank) {
    const ExpertRange range = topology.range(rank);
    if (range.count > 0) peers_.push_back({rank, range, Matrix(capacity, range.count), {}});
  }
}

void GateGradient::begin(Index rows) {
  rows_ = rows;
  for (Peer& peer : peers_) {
    peer.request =
        ranks_->start_receive(peer.values.first_rows(rows).values(), peer.rank, comm::Tag::gate_gradient);
  }
}

void GateGradient::send() {
  if (ranks_->is_coordinator() || range_.count == 0) return;
  sent_ = ranks_->start_send(own().values(), 0, comm::Tag::gate_gradient);
}

ConstMatrixView GateGradient::collect() {
  sent_.wait();
  if (!ranks_->is_coordinator()) return {};
  place(range_, own());
  for (Peer& peer : peers_) {
    peer.request.wait();
    place(peer.range, peer.values.first_rows(rows_));
  }
  return all_.first_rows(rows_);
}

void GateGradient::place(const ExpertRange& range, ConstMatrixView columns) {
  for (Index b = 0; b < rows_; ++b) {
    const auto row = columns.row(b);
    std::copy(row.begin(), row.end(), all_.first_rows(rows_).row(b).begin() + range.first);
  }
}

}  // namespace dmoe::exchange
