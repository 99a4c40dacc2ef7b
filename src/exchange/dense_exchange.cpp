#include "exchange/dense_exchange.hpp"

#include <algorithm>
#include <cassert>

namespace dmoe::exchange {

namespace {

/// Calls visit(rank, range) for every other rank that owns experts.
template <class Visit>
void for_each_other_owner(const Topology& topology, Index own_rank, const Visit& visit) {
  for (Index rank = 0; rank < topology.ranks(); ++rank) {
    const ExpertRange range = topology.range(rank);
    if (rank != own_rank && range.count > 0) visit(narrow<int>(rank), range);
  }
}

}  // namespace

void SharedMatrix::begin(const Homes& homes, Reach reach) {
  homes_ = &homes;
  reach_ = reach;
  matrix_.rows(reach == Reach::everywhere ? homes.rows() : homes.own().count);
}

MatrixView SharedMatrix::own() {
  const model::RowRange own = homes_->own();
  return matrix_.rows_from(reach_ == Reach::everywhere ? own.first : 0, own.count);
}

void SharedMatrix::share() {
  assert(reach_ == Reach::everywhere);
  const MatrixView all = matrix_.rows_from(0, homes_->rows());
  request_ = homes_->are_dealt() ? ranks_->start_all_gather(all.values(), homes_->starts(), all.columns)
                                 : ranks_->start_broadcast(all.values());
}

BatchRows SharedMatrix::arrived() {
  if (reach_ == Reach::home) return {own(), homes_->own().first};
  if (!homes_->are_here()) request_.wait();
  return {matrix_.rows_from(0, homes_->rows()), 0};
}

TreeReduction::TreeReduction(const comm::Communicator& ranks, const Topology& topology, Index width,
                             comm::Tag tag)
    : ranks_(&ranks), tag_(tag), experts_(topology.experts()), own_(width), received_(width) {
  std::size_t count = 0;
  for (Index rank = 0; rank < topology.ranks(); ++rank) {
    blocks_.push_back(topology.blocks(rank));
    count += blocks_.back().size();
  }
  others_blocks_ = static_cast<Index>(count - blocks().size());
  sums_.reserve(count);
}

void TreeReduction::begin(const Homes& homes) {
  homes_ = &homes;
  own_.rows(static_cast<Index>(blocks().size()) * homes.rows());
  const Index rows = homes.own().count;
  if (rows == 0) return;
  received_.rows(others_blocks_ * rows);
  Index place = 0;
  for (int rank = 0; rank < ranks_->size(); ++rank) {
    if (rank == ranks_->rank()) continue;
    const auto count = static_cast<Index>(blocks_[static_cast<std::size_t>(rank)].size());
    const Index together = homes.are_here() ? count : 1;  // blocks of a message
    for (Index k = 0; k < count; k += together, place += together)
      requests_.push_back(
          ranks_->start_receive(received_.rows_from(place * rows, together * rows).values(), rank, tag_));
  }
}

void TreeReduction::send() {
  homes_->for_each_other([&](int home, const model::RowRange& rows) {
    const auto count = static_cast<Index>(blocks().size());
    if (count > 0 && rows.count == homes_->rows())
      return requests_.push_back(
          ranks_->start_send(own_.rows_from(0, count * rows.count).values(), home, tag_));
    for (Index k = 0; k < count; ++k)
      requests_.push_back(
          ranks_->start_send(block(k).rows_from(rows.first, rows.count).values(), home, tag_));
  });
}

void TreeReduction::combine(MatrixView sum) {
  comm::wait_for_all(requests_);
  const model::RowRange rows = homes_->own();
  if (rows.count == 0) return;
  sums_.clear();
  Index place = 0;  // among the blocks of others
  for (const std::vector<model::TreeBlock>& of_rank : blocks_) {
    const bool is_own = &of_rank == &blocks();
    for (std::size_t k = 0; k < of_rank.size(); ++k) {
      const MatrixView values = is_own ? block(static_cast<Index>(k)).rows_from(rows.first, rows.count)
                                       : received_.rows_from(place++ * rows.count, rows.count);
      sums_.push_back({of_rank[k], values.data});
    }
  }
  model::combine_blocks(sums_, experts_, sum);
}

GateGradient::GateGradient(const comm::Communicator& ranks, const Topology& topology)
    : ranks_(&ranks),
      topology_(topology),
      own_(topology.range(ranks.rank()).count),
      received_(topology.experts()),
      all_(topology.experts()) {}

void GateGradient::begin(const Homes& homes) {
  homes_ = &homes;
  own_.rows(homes.rows());
  const Index rows = homes.own().count;
  if (rows == 0) return;
  const MatrixView received = received_.rows(rows);
  for_each_other_owner(topology_, ranks_->rank(), [&](int rank, const ExpertRange& range) {
    const std::span<float> table{received.data + rows * range.first, size(rows * range.count)};
    requests_.push_back(ranks_->start_receive(table, rank, comm::Tag::gate_gradient));
  });
}

void GateGradient::send() {
  if (topology_.range(ranks_->rank()).count == 0) return;
  homes_->for_each_other([&](int home, const model::RowRange& rows) {
    requests_.push_back(
        ranks_->start_send(own().rows_from(rows.first, rows.count).values(), home, comm::Tag::gate_gradient));
  });
}

ConstMatrixView GateGradient::collect() {
  comm::wait_for_all(requests_);
  const model::RowRange rows = homes_->own();
  const MatrixView all = all_.rows(rows.count);
  const auto place = [&](const ExpertRange& range, ConstMatrixView columns) {
    for (Index b = 0; b < rows.count; ++b)
      std::ranges::copy(columns.row(b), all.row(b).begin() + range.first);
  };
  if (rows.count == 0) return all;
  place(topology_.range(ranks_->rank()), own().rows_from(rows.first, rows.count));
  for_each_other_owner(topology_, ranks_->rank(), [&](int /*rank*/, const ExpertRange& range) {
    place(range,
          {received_.rows_from(0, rows.count).data + rows.count * range.first, rows.count, range.count});
  });
  return all;
}

Concatenation::Concatenation(const comm::Communicator& ranks, const Topology& topology, Index hidden)
    : ranks_(&ranks),
      topology_(topology),
      range_(topology.range(ranks.rank())),
      hidden_(hidden),
      gathered_(topology.experts() * hidden),
      own_(hidden) {}

void Concatenation::begin_gather(const Homes& homes) {
  homes_ = &homes;
  const Index rows = homes.own().count;
  if (rows == 0) return;
  gathered_.rows(rows);
  for_each_other_owner(topology_, ranks_->rank(), [&](int rank, const ExpertRange& range) {
    const Index together = homes.are_here() ? range.count : 1;  // tables of a message
    for (Index i = range.first; i < range.end(); i += together)
      requests_.push_back(
          ranks_->start_receive(tables(i, together, rows).values(), rank, comm::Tag::expert_outputs));
  });
}

void Concatenation::send(ConstMatrixView own) {
  homes_->for_each_other([&](int home, const model::RowRange& rows) {
    if (range_.count > 0 && rows.count == homes_->rows())
      return requests_.push_back(ranks_->start_send(own.values(), home, comm::Tag::expert_outputs));
    for (Index i = 0; i < range_.count; ++i)
      requests_.push_back(
          ranks_->start_send(own.rows_from(i * homes_->rows() + rows.first, rows.count).values(), home,
                             comm::Tag::expert_outputs));
  });
}

void Concatenation::collect(ConstMatrixView own, MatrixView all) {
  wait();
  const model::RowRange rows = homes_->own();
  if (rows.count == 0) return;
  for (Index i = 0; i < topology_.experts(); ++i) {
    const bool is_own = i >= range_.first && i < range_.end();
    const ConstMatrixView outputs =
        is_own ? own.rows_from((i - range_.first) * homes_->rows() + rows.first, rows.count)
               : tables(i, 1, rows.count);
    for (Index b = 0; b < rows.count; ++b)
      std::ranges::copy(outputs.row(b), all.row(b).begin() + i * hidden_);
  }
}

void Concatenation::scatter(ConstMatrixView d_all) {
  const MatrixView d_own = own_.rows(range_.count * homes_->rows());
  homes_->for_each_other([&](int home, const model::RowRange& rows) {
    if (range_.count > 0 && rows.count == homes_->rows())
      return requests_.push_back(
          ranks_->start_receive(d_own.values(), home, comm::Tag::expert_output_gradients));
    for (Index i = 0; i < range_.count; ++i)
      requests_.push_back(
          ranks_->start_receive(d_own.rows_from(i * homes_->rows() + rows.first, rows.count).values(), home,
                                comm::Tag::expert_output_gradients));
  });
  const model::RowRange rows = homes_->own();
  if (rows.count == 0) return;
  const auto pick = [&](Index i, MatrixView values) {
    for (Index b = 0; b < rows.count; ++b)
      std::ranges::copy(d_all.row(b).subspan(size(i * hidden_), size(hidden_)), values.row(b).begin());
  };
  for_each_other_owner(topology_, ranks_->rank(), [&](int rank, const ExpertRange& range) {
    for (Index i = range.first; i < range.end(); ++i) pick(i, tables(i, 1, rows.count));
    const Index together = homes_->are_here() ? range.count : 1;
    for (Index i = range.first; i < range.end(); i += together)
      requests_.push_back(ranks_->start_send(tables(i, together, rows.count).values(), rank,
                                             comm::Tag::expert_output_gradients));
  });
  for (Index i = 0; i < range_.count; ++i)
    pick(range_.first + i, d_own.rows_from(i * homes_->rows() + rows.first, rows.count));
}

ConstMatrixView Concatenation::arrived() {
  if (!homes_->are_here()) wait();
  return own_.rows_from(0, range_.count * homes_->rows());
}

void Concatenation::finish() {
  wait();
}

void Concatenation::wait() {
  comm::wait_for_all(requests_);
}

}  // namespace dmoe::exchange
