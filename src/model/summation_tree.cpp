#include "model/summation_tree.hpp"

#include <algorithm>
#include <cassert>

#include "core/simulation.hpp"

namespace dmoe::model {

namespace {

/// Adds one row over a subtree: its leaves are rows of `columns` values which `leaf(node, sum)` points at (in
/// place, or written into the sum it is given). Returns where the sum stands: at a leaf or in `sum`. Scratch
/// needs columns * log2(width) values.
template <class Leaf>
const float* add_row(Index first, Index width, Index experts, Index columns, float* sum, float* scratch,
                     const Leaf& leaf) {
  if (const float* value = leaf(TreeBlock{first, width}, sum); value != nullptr) return value;
  const Index half = width / 2;
  const float* const left = add_row(first, half, experts, columns, sum, scratch, leaf);
  if (first + half >= experts) return left;  // an absent subtree is skipped
  const float* const right = add_row(first + half, half, experts, columns, scratch, scratch + columns, leaf);
#pragma GCC ivdep  // sum may be left itself, at the same h only
  for (Index h = 0; h < columns; ++h) sum[h] = left[h] + right[h];
  return sum;
}

/// A scratch buffer that grows to the largest request and stays.
float* scratch_of(Index values) {
  static Matrix buffer;
  if (buffer.columns() < values) buffer = Matrix(1, values);
  return buffer.view().data;
}

/// What a sum of so many terms of `values` values moves: each read once, and the sum written.
Index bytes_added(Index terms, Index values) {
  return (terms + 1) * values * static_cast<Index>(sizeof(float));
}

/// Terms: how many stand below the block.
template <class Leaf>
void add_rows(const TreeBlock& block, Index experts, Index terms, MatrixView sum, const Leaf& leaf_of_row) {
  simulation::work_on_numbers(simulation::Unit::byte, bytes_added(terms, sum.count()), [&] {
    const Index levels = std::countr_zero(static_cast<std::uint64_t>(block.width));
    float* const scratch = scratch_of(sum.columns * levels);
    for (Index b = 0; b < sum.rows; ++b) {
      float* const row = sum.row(b).data();
      const float* const total =
          add_row(block.first, block.width, experts, sum.columns, row, scratch, leaf_of_row(b));
      if (total != row) std::copy_n(total, sum.columns, row);
    }
  });
}

Index experts_below(const TreeBlock& block, Index experts) {
  return std::min(block.width, experts - block.first);
}

/// The sum of the terms below the smallest subtree that holds them all, in `sum` or at a term's values.
const float* add_terms(std::span<const TreeTerm> terms, Index columns, float* sum, float* scratch) {
  if (terms.size() == 1) {
    const TreeTerm& term = terms.front();
    if (term.weight == nullptr) return term.values;
    for (Index h = 0; h < columns; ++h) sum[h] = *term.weight * term.values[h];
    return sum;
  }
  // The subtree's halves part at the highest bit in which its first and last term differ.
  const auto first = static_cast<std::uint64_t>(terms.front().first);
  const auto last = static_cast<std::uint64_t>(terms.back().first);
  const std::uint64_t half = std::bit_floor(first ^ last);
  const auto middle = static_cast<Index>(last / half * half);
  const auto split =
      std::ranges::partition_point(terms, [&](const TreeTerm& term) { return term.first < middle; });
  const auto left_count = static_cast<std::size_t>(split - terms.begin());
  const float* const left = add_terms(terms.first(left_count), columns, sum, scratch);
  const float* const right = add_terms(terms.subspan(left_count), columns, scratch, scratch + columns);
#pragma GCC ivdep  // sum may be left itself, at the same h only
  for (Index h = 0; h < columns; ++h) sum[h] = left[h] + right[h];
  return sum;
}

}  // namespace

std::vector<TreeBlock> maximal_blocks(Index first, Index end, Index experts) {
  assert(0 <= first && first <= end && end <= experts);
  std::vector<TreeBlock> blocks;
  if (end == experts) end = whole_tree(experts).width;  // the absent experts belong to whoever holds the last
  while (first < std::min(end, experts)) {
    Index width = 1;
    while (first % (2 * width) == 0 && first + 2 * width <= end) width *= 2;
    blocks.push_back({first, width});
    first += width;
  }
  return blocks;
}

void weighted_tree_sum(const TreeBlock& block, ConstMatrixView gates, ConstMatrixView outputs,
                       Index first_output, MatrixView sum, Arrangement arrangement) {
  const Index columns = sum.columns;
  const bool is_beside = arrangement == Arrangement::side_by_side;
  const Index from_expert_to_next = is_beside ? 1 : sum.rows;
  const Index from_row_to_next = is_beside ? outputs.rows / std::max<Index>(sum.rows, 1) : 1;
  add_rows(block, gates.columns, experts_below(block, gates.columns), sum, [&](Index b) {
    return [&, b](const TreeBlock& node, float* product) -> const float* {
      if (node.width != 1) return nullptr;
      const float gate = gates(b, node.first);
      const Index row = (node.first - first_output) * from_expert_to_next + b * from_row_to_next;
      const float* const output = outputs.data + row * columns;
      for (Index h = 0; h < columns; ++h) product[h] = gate * output[h];
      return product;
    };
  });
}

void tree_sum(const TreeBlock& block, Index experts, ConstMatrixView leaves, Index first_leaf,
              MatrixView sum) {
  const Index columns = sum.columns;
  const Index rows = sum.rows;
  add_rows(block, experts, experts_below(block, experts), sum, [&](Index b) {
    return [&, b](const TreeBlock& node, float* /*sum*/) -> const float* {
      if (node.width != 1) return nullptr;
      return leaves.data + ((node.first - first_leaf) * rows + b) * columns;
    };
  });
}

void sum_terms(std::span<const TreeTerm> terms, std::span<float> sum) {
  const auto columns = static_cast<Index>(sum.size());
  const Index bytes = bytes_added(static_cast<Index>(terms.size()), columns);
  simulation::work_on_numbers(simulation::Unit::byte, bytes, [&] {
    const auto levels = static_cast<Index>(std::bit_width(static_cast<std::uint64_t>(terms.back().first)));
    const float* const total = add_terms(terms, columns, sum.data(), scratch_of(columns * levels));
    if (total != sum.data()) std::copy_n(total, columns, sum.data());
  });
}

void combine_blocks(std::span<const BlockSum> blocks, Index experts, MatrixView sum) {
  const Index columns = sum.columns;
  add_rows(whole_tree(experts), experts, static_cast<Index>(blocks.size()), sum, [&](Index b) {
    return [&, b](const TreeBlock& node, float* /*sum*/) -> const float* {
      const auto found = std::lower_bound(
          blocks.begin(), blocks.end(), node.first,
          [](const BlockSum& candidate, Index first) { return candidate.block.first < first; });
      const bool is_given = found != blocks.end() && found->block == node;
      assert(is_given || node.width > 1);
      return is_given ? found->values + b * columns : nullptr;
    };
  });
}

}  // namespace dmoe::model
