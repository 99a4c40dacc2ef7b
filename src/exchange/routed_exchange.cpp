#include "exchange/routed_exchange.hpp"

#include <algorithm>
#include <numeric>

namespace dmoe::exchange {

std::vector<PeerRows> make_peers(const comm::Communicator& ranks, Index columns) {
  std::vector<PeerRows> peers;
  for (int rank = 1; rank < ranks.size() && ranks.is_coordinator(); ++rank)
    peers.push_back({GrowingMatrix(columns), {}});
  return peers;
}

RowDelivery::RowDelivery(const comm::Communicator& ranks, Index columns, comm::Tag tag)
    : ranks_(&ranks), tag_(tag), own_(columns), peers_(make_peers(ranks, columns)) {}

void RowDelivery::start(const RoutePlan& plan, ConstMatrixView matrix) {
  if (!ranks_->is_coordinator()) {
    own_rows_ = static_cast<Index>(plan.rows(ranks_->rank()).size());
    rows_of_entries_ = plan.arrivals().data();
    if (own_rows_ > 0) received_ = ranks_->start_receive(own_.rows(own_rows_).values(), 0, tag_);
    return;
  }
  matrix_ = matrix;
  rows_of_entries_ = plan.entry_rows().data();
  for (std::size_t p = 0; p < peers_.size(); ++p) {
    const int rank = narrow<int>(p) + 1;
    const std::span<const Index> wanted = plan.rows(rank);
    if (wanted.empty()) continue;
    const MatrixView rows = peers_[p].rows.rows(static_cast<Index>(wanted.size()));
    for (Index r = 0; r < rows.rows; ++r) std::ranges::copy(matrix.row(wanted[size(r)]), rows.row(r).begin());
    peers_[p].request = ranks_->start_send(rows.values(), rank, tag_);
  }
}

ConstMatrixView RowDelivery::arrived() {
  if (ranks_->is_coordinator()) return matrix_;
  received_.wait();
  return own_.rows_from(0, own_rows_);
}

void RowDelivery::finish() {
  for (PeerRows& peer : peers_) peer.request.wait();
}

RowReduction::RowReduction(const comm::Communicator& ranks, Index width, comm::Tag tag)
    : ranks_(&ranks), tag_(tag), own_(width), peers_(make_peers(ranks, width)) {}

void RowReduction::begin(const RoutePlan& plan) {
  own_rows_ = plan.block_row_count(ranks_->rank());
  own_.rows(own_rows_);
  for (std::size_t p = 0; p < peers_.size(); ++p) {
    const int rank = narrow<int>(p) + 1;
    const Index count = plan.block_row_count(rank);
    if (count == 0) continue;
    peers_[p].request = ranks_->start_receive(peers_[p].rows.rows(count).values(), rank, tag_);
  }
}

void RowReduction::send() {
  if (!ranks_->is_coordinator() && own_rows_ > 0) sent_ = ranks_->start_send(own().values(), 0, tag_);
}

void RowReduction::combine(const RoutePlan& plan, MatrixView sum) {
  sent_.wait();
  if (!ranks_->is_coordinator()) return;
  for (PeerRows& peer : peers_) peer.request.wait();
  // The terms of each row one after the other, their blocks from left to right.
  const auto for_each_row_of_block = [&](const auto& visit) {
    for (Index rank = 0; rank < plan.topology().ranks(); ++rank) {
      GrowingMatrix& sums = rank == 0 ? own_ : peers_[size(rank - 1)].rows;
      Index place = 0;
      for (Index k = plan.first_block(rank); k < plan.first_block(rank + 1); ++k)
        for (const Index b : plan.block_rows(k)) visit(b, k, sums.rows_from(place++, 1).data);
    }
  };
  end_.assign(size(sum.rows + 1), 0);
  for_each_row_of_block([&](Index b, Index /*k*/, const float* /*values*/) { ++end_[size(b + 1)]; });
  std::partial_sum(end_.begin(), end_.end(), end_.begin());
  terms_.resize(size(end_.back()));
  for_each_row_of_block([&](Index b, Index k, const float* values) {
    terms_[size(end_[size(b)]++)] = {plan.block(k).first, values};
  });
  std::size_t begin = 0;
  for (Index b = 0; b < sum.rows; ++b) {
    const auto end = size(end_[size(b)]);
    model::sum_terms(std::span(terms_).subspan(begin, end - begin), sum.row(b));
    begin = end;
  }
}

EntryGather::EntryGather(const comm::Communicator& ranks) : ranks_(&ranks), requests_(size(ranks.size())) {}

void EntryGather::begin(const RoutePlan& plan) {
  const auto slice = [&](Index rank) { return plan.topology().range(rank); };
  own_count_ = size(plan.entries_of(slice(ranks_->rank())));
  if (!ranks_->is_coordinator()) {
    values_.resize(own_count_);
    own_ = values_.data();
    return;
  }
  values_.resize(plan.values().size());
  own_ = values_.data();  // the coordinator's experts are the first
  for (int rank = 1; rank < ranks_->size(); ++rank) {
    const auto values =
        std::span(values_).subspan(size(plan.begin(slice(rank).first)), size(plan.entries_of(slice(rank))));
    if (!values.empty())
      requests_[static_cast<std::size_t>(rank)] =
          ranks_->start_receive(values, rank, comm::Tag::gate_gradient);
  }
}

void EntryGather::send() {
  if (!ranks_->is_coordinator() && own_count_ > 0)
    requests_.front() = ranks_->start_send(values_, 0, comm::Tag::gate_gradient);
}

const float* EntryGather::collect() {
  for (comm::Request& request : requests_) request.wait();
  return values_.data();
}

}  // namespace dmoe::exchange
