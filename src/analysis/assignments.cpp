#include "analysis/assignments.hpp"

#include <algorithm>
#include <span>

#include "analysis/dealt.hpp"

namespace dmoe::analysis {

namespace {

/// The examples of this replica, in the order in which for_each_batch() meets them.
std::vector<Index> own_examples(const exchange::Grid& grid, Index count, Index batch_size) {
  std::vector<Index> own;
  const Index capacity = std::min(batch_size, count);
  for (Index x = 0; x < count; ++x)
    if (x / capacity % grid.replicas() == grid.replica()) own.push_back(x);
  return own;
}

/// The gates of all `count` examples, of which this replica has `own` of these `examples`. Collective over
/// the column.
Gates with_other_replicas(const comm::Communicator& column, const Gates& own, std::span<const Index> examples,
                          Index count) {
  std::vector<std::int64_t> begins(size(count + 1));
  for (std::size_t i = 0; i < examples.size(); ++i)
    begins[size(examples[i] + 1)] = static_cast<std::int64_t>(own.of(static_cast<Index>(i)).size());
  fill_in(column, std::span(begins));
  for (std::size_t x = 1; x < begins.size(); ++x) begins[x] += begins[x - 1];
  std::vector<Gates::Entry> entries(size(begins.back()));
  for (std::size_t i = 0; i < examples.size(); ++i)
    std::ranges::copy(own.of(static_cast<Index>(i)), entries.begin() + begins[size(examples[i])]);
  fill_in(column, std::span(entries));
  Gates all(own.experts());
  for (Index x = 0; x < count; ++x)
    all.append(
        std::span(entries).subspan(size(begins[size(x)]), size(begins[size(x + 1)] - begins[size(x)])));
  return all;
}

/// The same of the levels of a factor. Collective over the column.
std::vector<std::int32_t> with_other_replicas(const comm::Communicator& column,
                                              const std::vector<std::int32_t>& own,
                                              std::span<const Index> examples, Index count) {
  std::vector<std::int64_t> levels(size(count));
  for (std::size_t i = 0; i < examples.size(); ++i) levels[size(examples[i])] = own[i];
  fill_in(column, std::span(levels));
  return {levels.begin(), levels.end()};
}

}  // namespace

std::optional<Assignments> collect(distribution::Network& network, const data::Dataset& dataset,
                                   const training::Pass& pass,
                                   const training::StopRequested& stop_requested) {
  Assignments result{{}, dataset.factors(), {}, dataset.groups(pass.split)};
  for (const model::LayerSpec& layer : network.spec().layers) result.gates.emplace_back(layer.choices());
  result.levels.resize(result.factors.size());
  const auto keep = [&](const data::Batch& batch) {
    for (std::size_t l = 0; l < result.gates.size(); ++l)
      result.gates[l].append(network.gates(static_cast<Index>(l)));
    for (std::size_t f = 0; f < result.factors.size(); ++f)
      result.levels[f].insert(result.levels[f].end(), batch.factor(f).begin(), batch.factor(f).end());
  };
  if (!training::for_each_batch(network, dataset, pass, stop_requested, keep)) return std::nullopt;
  const exchange::Grid& grid = network.grid();
  if (grid.replicas() == 1) return result;
  const Index count = dataset.example_count(pass.split);
  const std::vector<Index> own = own_examples(grid, count, pass.batch_size);
  for (Gates& gates : result.gates) gates = with_other_replicas(grid.column(), gates, own, count);
  for (auto& levels : result.levels) levels = with_other_replicas(grid.column(), levels, own, count);
  return result;
}

}  // namespace dmoe::analysis
