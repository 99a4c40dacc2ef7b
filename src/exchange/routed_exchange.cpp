#include "exchange/routed_exchange.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

#include "core/error.hpp"
#include "core/simulation.hpp"

namespace dmoe::exchange {

ChoiceExchange::ChoiceExchange(const comm::Communicator& ranks, Index most)
    : ranks_(&ranks),
      table_(ranks, model::Choices::columns(most), Contents::choices),
      sent_(Choice::columns, Contents::choices),
      received_(Choice::columns, Contents::choices),
      sent_counts_(size(ranks.size())),
      received_counts_(size(ranks.size())) {}

void ChoiceExchange::begin(const Homes& homes) {
  constexpr Index most_exact = Index{1} << 24;  // as a float
  if (homes.rows() > most_exact)
    throw InputError("{} rows of a replica, but a routed batch has at most {}", homes.rows(), most_exact);
  homes_ = &homes;
  table_.begin(homes, homes.are_dealt() ? Reach::home : Reach::everywhere);
}

void ChoiceExchange::deliver(RoutePlan& plan) {
  plan.sent.make(model::ConstChoices(own()), homes_->own().first);
  if (homes_->are_dealt()) return deliver_from_homes(plan);
  table_.share();
  const model::ConstChoices all = known();
  const ExpertRange own_experts = plan.topology.range(ranks_->rank());
  simulation::charge(simulation::Unit::logit, all.rows() * all.most());
  plan.owned.clear();
  for (Index b = 0; b < all.rows(); ++b) {
    const Index chosen = all.count(b);
    for (Index j = 0; j < chosen; ++j) {
      const Index expert = all.expert(b, j);
      if (expert >= own_experts.first && expert < own_experts.end())
        plan.owned.add({b, expert, all.value(b, j)});
    }
  }
  plan.owned.make();
}

void ChoiceExchange::deliver_from_homes(RoutePlan& plan) {
  for (Index rank = 0; rank < ranks_->size(); ++rank)
    sent_counts_[size(rank)] = plan.sent.begin(rank + 1) - plan.sent.begin(rank);
  ranks_->all_to_all(sent_counts_, received_counts_);
  const Index own = ranks_->rank();
  received_.rows(std::accumulate(received_counts_.begin(), received_counts_.end(), Index{0}));
  Index place = 0;
  for (int rank = 0; rank < ranks_->size(); ++rank) {
    const Index count = received_counts_[static_cast<std::size_t>(rank)];
    if (rank != own && count > 0)
      requests_.push_back(
          ranks_->start_receive(received_.rows_from(place, count).values(), rank, comm::Tag::choices));
    place += count;
  }
  const MatrixView sent = sent_.rows(plan.sent.count());
  for (Index c = 0; c < sent.rows; ++c) {
    const auto& [row, expert, value] = plan.sent.choice(c);
    sent(c, 0) = static_cast<float>(row);
    sent(c, 1) = static_cast<float>(expert);
    sent(c, 2) = value;
  }
  for (Index hop = 1; hop < ranks_->size(); ++hop) {
    const Index rank = (own + hop) % ranks_->size();
    const Index count = sent_counts_[size(rank)];
    if (count > 0)
      requests_.push_back(ranks_->start_send(sent.rows_from(plan.sent.begin(rank), count).values(),
                                             narrow<int>(rank), comm::Tag::choices));
  }
  comm::wait_for_all(requests_);
  plan.owned.clear();
  place = 0;
  for (Index rank = 0; rank < ranks_->size(); ++rank) {
    const Index count = received_counts_[size(rank)];
    const ConstMatrixView from =
        rank == own ? sent.rows_from(plan.sent.begin(own), count) : received_.rows_from(place, count);
    for (Index c = 0; c < count; ++c)
      plan.owned.add({static_cast<Index>(from(c, 0)), static_cast<Index>(from(c, 1)), from(c, 2)});
    place += count;
  }
  plan.owned.make();
}

void ChoiceExchange::finish() {
  table_.finish();
}

RowDelivery::RowDelivery(const comm::Communicator& ranks, Index columns, comm::Tag tag)
    : ranks_(&ranks), tag_(tag), sent_(columns), received_(columns) {}

void RowDelivery::start(const RoutePlan& plan, const Homes& homes, ConstMatrixView matrix) {
  const Index own = ranks_->rank();
  const std::span<const Index> needed = plan.owned.rows();
  if (homes.are_here()) {
    arrived_ = matrix;
    rows_of_entries_ = plan.owned.entry_rows().data();
  } else {
    const MatrixView received = received_.rows(static_cast<Index>(needed.size()));
    arrived_ = received;
    rows_of_entries_ = plan.owned.entry_places().data();
    homes.for_each_other([&](int home, const model::RowRange& rows) {
      const model::RowRange part = OwnedPlan::within(needed, rows);
      if (part.count > 0)
        receives_.push_back(
            ranks_->start_receive(received.rows_from(part.first, part.count).values(), home, tag_));
    });
    const model::RowRange part = OwnedPlan::within(needed, homes.own());
    for (Index r = part.first; r < part.first + part.count; ++r)
      simulation::copy_numbers(matrix.row(needed[size(r)] - homes.own().first), received.row(r).data());
  }
  Index count = 0;
  for (Index rank = 0; rank < ranks_->size(); ++rank)
    if (rank != own) count += static_cast<Index>(plan.sent.rows(rank).size());
  sent_.rows(count);
  Index place = 0;
  for (Index hop = 1; hop < ranks_->size(); ++hop) {
    const Index rank = (own + hop) % ranks_->size();
    const std::span<const Index> wanted = plan.sent.rows(rank);
    if (wanted.empty()) continue;
    const MatrixView rows = sent_.rows_from(place, static_cast<Index>(wanted.size()));
    for (Index r = 0; r < rows.rows; ++r)
      simulation::copy_numbers(matrix.row(wanted[size(r)]), rows.row(r).data());
    sends_.push_back(ranks_->start_send(rows.values(), narrow<int>(rank), tag_));
    place += rows.rows;
  }
}

ConstMatrixView RowDelivery::arrived() {
  comm::wait_for_all(receives_);
  return arrived_;
}

void RowDelivery::finish() {
  comm::wait_for_all(sends_);
}

RowReduction::RowReduction(const comm::Communicator& ranks, Index width, comm::Tag tag)
    : ranks_(&ranks), tag_(tag), own_(width), received_(width) {}

void RowReduction::begin(const RoutePlan& plan, const Homes& homes) {
  homes_ = &homes;
  first_.assign(1, 0);
  for (std::size_t k = 0; k < plan.owned.blocks().size(); ++k)
    first_.push_back(first_.back() + static_cast<Index>(plan.owned.block_rows(static_cast<Index>(k)).size()));
  own_.rows(first_.back());
  // One message of all blocks of a rank where all rows are at home here, else one of each.
  const auto for_each_message = [&](const auto& visit) {
    for (int rank = 0; rank < ranks_->size(); ++rank) {
      if (rank == ranks_->rank()) continue;
      Index rows = 0;
      for (Index k = plan.first_block[size(Index{rank})]; k < plan.first_block[size(Index{rank} + 1)]; ++k) {
        rows += static_cast<Index>(plan.sent.block_rows(k).size());
        if (!homes.are_here() && rows > 0) visit(rank, std::exchange(rows, 0));
      }
      if (rows > 0) visit(rank, rows);
    }
  };
  Index count = 0;
  for_each_message([&](int /*rank*/, Index rows) { count += rows; });
  received_.rows(count);
  Index place = 0;
  for_each_message([&](int rank, Index rows) {
    requests_.push_back(ranks_->start_receive(received_.rows_from(place, rows).values(), rank, tag_));
    place += rows;
  });
}

void RowReduction::send(const RoutePlan& plan) {
  const auto send_to = [&](int home, Index first, Index count) {
    if (count > 0) requests_.push_back(ranks_->start_send(own_.rows_from(first, count).values(), home, tag_));
  };
  homes_->for_each_other([&](int home, const model::RowRange& rows) {
    if (rows.count == homes_->rows()) return send_to(home, 0, first_.back());
    for (std::size_t k = 0; k + 1 < first_.size(); ++k) {
      const model::RowRange part = OwnedPlan::within(plan.owned.block_rows(static_cast<Index>(k)), rows);
      send_to(home, first_[k] + part.first, part.count);
    }
  });
}

template <class Visit>
void RowReduction::for_each_sum(const RoutePlan& plan, const Visit& visit) {
  Index place = 0;
  for (Index rank = 0; rank < ranks_->size(); ++rank) {
    for (Index k = plan.first_block[size(rank)]; k < plan.first_block[size(rank + 1)]; ++k) {
      const std::span<const Index> rows = plan.sent.block_rows(k);
      const auto count = static_cast<Index>(rows.size());
      const bool is_own = rank == ranks_->rank();
      const Index own_block = k - plan.first_block[size(rank)];
      const Index first = !is_own
                              ? place
                              : first_[size(own_block)] +
                                    OwnedPlan::within(plan.owned.block_rows(own_block), homes_->own()).first;
      const MatrixView sums = (is_own ? own_ : received_).rows_from(first, count);
      for (Index r = 0; r < count; ++r) visit(rows[size(r)], plan.blocks[size(k)], sums.row(r).data());
      if (!is_own) place += count;
    }
  }
}

void RowReduction::combine(const RoutePlan& plan, MatrixView sum) {
  comm::wait_for_all(requests_);
  if (sum.rows == 0) return;
  // The terms of each row one after the other, their blocks from left to right.
  end_.assign(size(sum.rows + 1), 0);
  for_each_sum(plan, [&](Index b, const model::TreeBlock& /*block*/, const float* /*values*/) {
    ++end_[size(b + 1)];
  });
  std::partial_sum(end_.begin(), end_.end(), end_.begin());
  terms_.resize(size(end_.back()));
  for_each_sum(plan, [&](Index b, const model::TreeBlock& block, const float* values) {
    terms_[size(end_[size(b)]++)] = {block.first, values};
  });
  std::size_t begin = 0;
  for (Index b = 0; b < sum.rows; ++b) {
    const auto end = size(end_[size(b)]);
    model::sum_terms(std::span(terms_).subspan(begin, end - begin), sum.row(b));
    begin = end;
  }
}

EntryGather::EntryGather(const comm::Communicator& ranks) : ranks_(&ranks) {}

void EntryGather::begin(const RoutePlan& plan, const Homes& homes) {
  homes_ = &homes;
  own_.resize(plan.owned.arrived().size());
  packed_.resize(own_.size());
  received_.resize(size(plan.sent.count()));
  for (int rank = 0; rank < ranks_->size(); ++rank) {
    const Index first = plan.sent.begin(rank);
    const Index count = plan.sent.begin(rank + 1) - first;
    if (rank != ranks_->rank() && count > 0)
      requests_.push_back(ranks_->start_receive(std::span(received_).subspan(size(first), size(count)), rank,
                                                comm::Tag::gate_gradient));
  }
}

void EntryGather::send(const RoutePlan& plan) {
  for (std::size_t a = 0; a < own_.size(); ++a)
    packed_[a] = own_[size(plan.owned.entry_of(static_cast<Index>(a)))];
  const auto of = [&](const model::RowRange& rows) {
    const model::RowRange part = plan.owned.arrived_of(rows);
    return std::span<const float>(packed_).subspan(size(part.first), size(part.count));
  };
  homes_->for_each_other([&](int home, const model::RowRange& rows) {
    if (const auto values = of(rows); !values.empty())
      requests_.push_back(ranks_->start_send(values, home, comm::Tag::gate_gradient));
  });
  std::ranges::copy(of(homes_->own()), received_.begin() + plan.sent.begin(ranks_->rank()));
}

const float* EntryGather::collect() {
  comm::wait_for_all(requests_);
  return received_.data();
}

}  // namespace dmoe::exchange
