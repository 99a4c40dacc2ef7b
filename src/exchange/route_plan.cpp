#include "exchange/route_plan.hpp"

#include <algorithm>
#include <numeric>

namespace dmoe::exchange {

namespace {

void add_once(std::vector<Index>& rows, Index row) {
  if (rows.empty() || rows.back() != row) rows.push_back(row);
}

}  // namespace

RoutePlan::RoutePlan(const Topology& topology)
    : topology_(topology),
      begin_(size(topology.experts() + 1)),
      next_(size(topology.experts())),
      rows_(size(topology.ranks())) {
  first_block_.push_back(0);
  for (Index rank = 0; rank < topology.ranks(); ++rank) {
    for (const model::TreeBlock& block : topology.blocks(rank)) {
      blocks_.push_back(block);
      const Index end = std::min(block.first + block.width, topology.experts());
      block_of_.resize(size(end), static_cast<Index>(blocks_.size()) - 1);
      owner_.resize(size(end), narrow<int>(rank));
    }
    first_block_.push_back(static_cast<Index>(blocks_.size()));
  }
  block_rows_.resize(blocks_.size());
}

void RoutePlan::make(const model::ConstChoices& choices) {
  choices_ = choices;
  std::ranges::fill(begin_, Index{0});
  for (auto& rows : rows_) rows.clear();
  for (auto& rows : block_rows_) rows.clear();
  const auto for_each_choice = [&](auto visit) {
    for (Index b = 0; b < choices.rows(); ++b) {
      const Index chosen = choices.count(b);
      for (Index j = 0; j < chosen; ++j) visit(b, j, choices.expert(b, j));
    }
  };
  for_each_choice([&](Index /*b*/, Index /*j*/, Index expert) { ++begin_[size(expert + 1)]; });
  std::partial_sum(begin_.begin(), begin_.end(), begin_.begin());
  const auto entries = size(begin_.back());
  row_.resize(entries);
  place_.resize(entries);
  arrival_.resize(entries);
  value_.resize(entries);
  std::copy(begin_.begin(), begin_.end() - 1, next_.begin());
  for_each_choice([&](Index b, Index j, Index expert) {
    std::vector<Index>& arrived = rows_[static_cast<std::size_t>(owner_[size(expert)])];
    add_once(arrived, b);
    add_once(block_rows_[size(block_of_[size(expert)])], b);
    const Index entry = next_[size(expert)]++;
    row_[size(entry)] = b;
    place_[size(entry)] = j;
    arrival_[size(entry)] = static_cast<Index>(arrived.size()) - 1;
    value_[size(entry)] = choices.value(b, j);
  });
}

Index RoutePlan::block_row_count(Index rank) const {
  Index count = 0;
  for (Index k = first_block(rank); k < first_block(rank + 1); ++k)
    count += static_cast<Index>(block_rows(k).size());
  return count;
}

}  // namespace dmoe::exchange
