#include "analysis/gates.hpp"

#include <algorithm>

namespace dmoe::analysis {

void Gates::append(ConstMatrixView rows) {
  for (Index r = 0; r < rows.rows; ++r) {
    const auto row = rows.row(r);
    for (std::size_t e = 0; e < row.size(); ++e)
      if (row[e] != 0) entries_.push_back({static_cast<std::int32_t>(e), row[e]});
    begins_.push_back(entries_.size());
  }
}

void Gates::append(std::span<const Entry> row) {
  entries_.insert(entries_.end(), row.begin(), row.end());
  begins_.push_back(entries_.size());
}

Index Gates::largest(Index example) const {
  const auto row = of(example);
  const auto found = std::max_element(row.begin(), row.end(),
                                      [](const Entry& a, const Entry& b) { return a.value < b.value; });
  return found == row.end() ? 0 : found->expert;
}

GateColumns::GateColumns(const Gates& gates, Index first, Index end)
    : first_(first), begins_(size(end - first) + 1) {
  const auto is_here = [&](const Gates::Entry& entry) { return entry.expert >= first && entry.expert < end; };
  for (const Gates::Entry& entry : gates.entries())
    if (is_here(entry)) ++begins_[size(entry.expert - first) + 1];
  for (std::size_t e = 1; e < begins_.size(); ++e) begins_[e] += begins_[e - 1];
  entries_.resize(begins_.back());
  std::vector<std::size_t> next(begins_.begin(), begins_.end() - 1);
  for (Index x = 0; x < gates.examples(); ++x)
    for (const Gates::Entry& entry : gates.of(x))
      if (is_here(entry))
        entries_[next[size(entry.expert - first)]++] = {static_cast<std::int32_t>(x), entry.value};
}

void GateColumns::write(Index expert, std::span<float> column) const {
  std::fill(column.begin(), column.end(), 0.0F);
  for (std::size_t i = begins_[size(expert - first_)]; i < begins_[size(expert - first_) + 1]; ++i)
    column[size(entries_[i].example)] = entries_[i].value;
}

}  // namespace dmoe::analysis
