#include "exchange/route_plan.hpp"

#include <algorithm>
#include <numeric>

#include "core/simulation.hpp"

namespace dmoe::exchange {

namespace {

void add_once(std::vector<Index>& rows, Index row) {
  if (rows.empty() || rows.back() != row) rows.push_back(row);
}

}  // namespace

SentPlan::SentPlan(const Topology& topology)
    : begin_(size(topology.ranks() + 1)), next_(size(topology.ranks())), rows_(size(topology.ranks())) {
  for (Index rank = 0; rank < topology.ranks(); ++rank) {
    for (const model::TreeBlock& block : topology.blocks(rank)) {
      block_of_.resize(size(std::min(block.first + block.width, topology.experts())),
                       static_cast<Index>(block_rows_.size()));
      block_rows_.emplace_back();
    }
    owner_.resize(size(topology.range(rank).end()), narrow<int>(rank));
  }
}

void SentPlan::make(const model::ConstChoices& choices, Index first) {
  for (auto& rows : rows_) rows.clear();
  for (auto& rows : block_rows_) rows.clear();
  const auto for_each_choice = [&](auto visit) {
    for (Index b = 0; b < choices.rows(); ++b) {
      const Index chosen = choices.count(b);
      for (Index j = 0; j < chosen; ++j) visit(b, j, choices.expert(b, j));
    }
  };
  std::ranges::fill(begin_, Index{0});
  for_each_choice([&](Index /*b*/, Index /*j*/, Index expert) {
    ++begin_[static_cast<std::size_t>(owner_[size(expert)]) + 1];
  });
  std::partial_sum(begin_.begin(), begin_.end(), begin_.begin());
  simulation::charge(simulation::Unit::choice, count());
  choices_.resize(size(count()));
  place_.resize(size(count()));
  std::copy(begin_.begin(), begin_.end() - 1, next_.begin());
  for_each_choice([&](Index b, Index j, Index expert) {
    const auto owner = static_cast<std::size_t>(owner_[size(expert)]);
    add_once(rows_[owner], b);
    add_once(block_rows_[size(block_of_[size(expert)])], b);
    const Index number = next_[owner]++;
    choices_[size(number)] = {first + b, expert, choices.value(b, j)};
    place_[size(number)] = j;
  });
}

OwnedPlan::OwnedPlan(const Topology& topology, Index rank)
    : own_(topology.range(rank)),
      blocks_(topology.blocks(rank)),
      begin_(size(own_.count + 1)),
      next_(size(own_.count)),
      block_rows_(blocks_.size()) {
  for (std::size_t k = 0; k < blocks_.size(); ++k)
    block_of_.resize(size(std::min(blocks_[k].first + blocks_[k].width, own_.end()) - own_.first),
                     static_cast<Index>(k));
}

void OwnedPlan::make() {
  simulation::charge(simulation::Unit::choice, static_cast<Index>(arrived_.size()));
  rows_.clear();
  for (auto& rows : block_rows_) rows.clear();
  std::ranges::fill(begin_, Index{0});
  for (const Choice& choice : arrived_) ++begin_[size(choice.expert - own_.first + 1)];
  std::partial_sum(begin_.begin(), begin_.end(), begin_.begin());
  row_.resize(arrived_.size());
  place_.resize(arrived_.size());
  value_.resize(arrived_.size());
  entry_of_.resize(arrived_.size());
  std::copy(begin_.begin(), begin_.end() - 1, next_.begin());
  for (std::size_t a = 0; a < arrived_.size(); ++a) {
    const auto& [row, expert, value] = arrived_[a];
    const auto own = size(expert - own_.first);
    add_once(rows_, row);
    add_once(block_rows_[size(block_of_[own])], row);
    const Index entry = next_[own]++;
    row_[size(entry)] = row;
    place_[size(entry)] = static_cast<Index>(rows_.size()) - 1;
    value_[size(entry)] = value;
    entry_of_[a] = entry;
  }
}

model::RowRange OwnedPlan::within(std::span<const Index> rows, const model::RowRange& of) {
  const auto first = std::ranges::lower_bound(rows, of.first);
  const auto end = std::ranges::lower_bound(rows, of.first + of.count);
  return {first - rows.begin(), end - first};
}

model::RowRange OwnedPlan::arrived_of(const model::RowRange& rows) const {
  const auto first = std::ranges::lower_bound(arrived_, rows.first, {}, &Choice::row);
  const auto end = std::ranges::lower_bound(arrived_, rows.first + rows.count, {}, &Choice::row);
  return {first - arrived_.begin(), end - first};
}

RoutePlan::RoutePlan(const Topology& of, Index rank) : topology(of), sent(of), owned(of, rank) {
  first_block.push_back(0);
  for (Index r = 0; r < of.ranks(); ++r) {
    for (const model::TreeBlock& block : of.blocks(r)) blocks.push_back(block);
    first_block.push_back(static_cast<Index>(blocks.size()));
  }
}

}  // namespace dmoe::exchange
