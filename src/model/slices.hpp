// The rows of a batch in slices: the leaves of every sum over rows.
//
// A gradient is a sum over the rows of the batch. A batch of up to B rows is cut into S slices of q =
// ceil(B / S) rows, slice s being rows [s q, min((s + 1) q, rows)); each gives a product of its own, and
// these are added along the summation tree over s (summation_tree.hpp), absent slices skipped. Whoever holds
// which slices, the bits are the same: S is recipe. Who holds slices [first, end) has their sums in K blocks.
//
// Rows are gated in finer slices of the same batch: S T of ceil(B / (S T)) rows, so that S slices of T of
// these each have q = T ceil(B / (S T)).
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include "core/matrix.hpp"
#include "core/simulation.hpp"
#include "core/types.hpp"
#include "model/parameters.hpp"
#include "model/summation_tree.hpp"
#include "numerics/tiled_linear.hpp"

namespace dmoe::model {

/// Rows [first, first + count).
struct RowRange {
  Index first = 0;
  Index count = 0;
  bool operator==(const RowRange&) const = default;
};

/// The slices of a batch that are here: slices [first, end) of S, whose rows follow each other from row 0 on.
class Slices {
 public:
  /// S slices of a batch of up to `batch_rows` rows, of which [first, end) are here; of a whole number of
  /// `parts` of one length each. Local.
  Slices(Index slices, Index batch_rows, Index first, Index end, Index parts = 1)
      : slices_(slices),
        length_((batch_rows + slices * parts - 1) / (slices * parts) * parts),
        first_(first),
        end_(end),
        blocks_(maximal_blocks(first, end, slices)) {}
  /// One slice of as many rows as there are.
  static const Slices& whole();

  Index slices() const { return slices_; }  // S
  Index length() const { return length_; }  // q
  Index first() const { return first_; }
  Index count() const { return end_ - first_; }
  /// The blocks of the tree that are here, K of them, from left to right.
  const std::vector<TreeBlock>& blocks() const { return blocks_; }

  /// Of a whole batch of `batch_rows` rows, those that are here. Local.
  RowRange own_rows(Index batch_rows) const {
    if (slices_ == 1) return {0, batch_rows};
    const Index begin = std::min(first_ * length_, batch_rows);
    return {begin, std::min(end_ * length_, batch_rows) - begin};
  }
  /// Slice j = 0 .. count() - 1 of those here, among the `rows` rows here. Local.
  RowRange of(Index j, Index rows) const {
    if (slices_ == 1) return {0, rows};
    const Index begin = std::min(j * length_, rows);
    return {begin, std::min((j + 1) * length_, rows) - begin};
  }

  /// Of a product of all rows here: a slice, by so many units, has the bits that it would have alone. Local.
  numerics::Tile tile(Index units = numerics::Tile::all) const {
    return {slices_ == 1 ? numerics::Tile::all : length_, units};
  }

 private:
  Index slices_;
  Index length_;  // q
  Index first_;
  Index end_;
  std::vector<TreeBlock> blocks_;
};

/// One slice's share of a gradient: assigned, or rounded and then added.
enum class Into { assigned, added };

/// dW (H, D) of a slice: dy (n, H), x (n, D). Local.
void add_weight_gradient(ConstMatrixView d_y, ConstMatrixView x, MatrixView d_weight, Into how,
                         Index tile_units = numerics::Tile::all);
/// db of a slice, H values in rows of whatever length: dy (n, H). Local.
void add_bias_gradient(ConstMatrixView d_y, MatrixView d_bias, Into how);
/// The same of sums that column_sums(into) assigns. Local.
template <class ColumnSums>
void add_bias_gradient(MatrixView d_bias, Into how, const ColumnSums& column_sums);

/// A gradient (rows, columns) of K blocks: block k of it is block(k), a view of the sum of the k-th own block
/// of slices, once leaf(j, into, how) has given that of every slice j for which is_there(j); 0 where there is
/// none in it. Local.
template <class IsThere, class Block, class Leaf>
void sum_over_slices(const Slices& slices, const IsThere& is_there, const Block& block, const Leaf& leaf);

/// The gradients of W and b of y = x W^T + b from dy (B, H) and x (B, D), rows that are here; of W with the
/// bits of so many units at a time. Local.
void linear_gradients(const Slices& slices, ConstMatrixView d_y, ConstMatrixView x, Weights& weight,
                      Weights& bias, Index tile_units = numerics::Tile::all);

// Below: how that is done.

/// A buffer (rows, columns) for the sum of a right subtree, one for each depth, and one for that of a bias.
/// Local.
MatrixView scratch_of_slices(std::size_t depth, Index rows, Index columns);
MatrixView scratch_of_bias(Index columns);

template <class IsThere, class Leaf>
class SliceTree {
 public:
  SliceTree(const Slices& slices, const IsThere& is_there, const Leaf& leaf)
      : slices_(slices), is_there_(is_there), leaf_(leaf) {}

  /// Whether any slice of the subtree is there.
  bool has(TreeBlock node) const {
    const Index end = std::min(node.first + node.width, slices_.first() + slices_.count());
    for (Index s = node.first; s < end; ++s)
      if (is_there_(s - slices_.first())) return true;
    return false;
  }
  /// The sum of a subtree that has slices; what is absent is skipped.
  void sum(TreeBlock node, MatrixView into, std::size_t depth = 0) const {
    if (node.width == 1) return leaf_(node.first - slices_.first(), into, Into::assigned);
    const Index half = node.width / 2;
    const TreeBlock left{node.first, half};
    const TreeBlock right{node.first + half, half};
    if (!has(left)) return sum(right, into, depth);
    sum(left, into, depth);
    if (!has(right)) return;
    if (half == 1) return leaf_(right.first - slices_.first(), into, Into::added);
    const MatrixView scratch = scratch_of_slices(depth, into.rows, into.columns);
    sum(right, scratch, depth + 1);
    simulation::work_on_numbers(simulation::Unit::byte, 3 * into.count() * static_cast<Index>(sizeof(float)),
                                [&] {
                                  for (Index i = 0; i < into.count(); ++i) into.data[i] += scratch.data[i];
                                });
  }

 private:
  const Slices& slices_;
  const IsThere& is_there_;
  const Leaf& leaf_;
};

template <class IsThere, class Block, class Leaf>
void sum_over_slices(const Slices& slices, const IsThere& is_there, const Block& block, const Leaf& leaf) {
  const SliceTree<IsThere, Leaf> tree(slices, is_there, leaf);
  for (std::size_t k = 0; k < slices.blocks().size(); ++k) {
    const MatrixView into = block(static_cast<Index>(k));
    if (tree.has(slices.blocks()[k])) {
      tree.sum(slices.blocks()[k], into);
    } else {
      std::ranges::fill(into.values(), 0.0F);
    }
  }
}

template <class ColumnSums>
void add_bias_gradient(MatrixView d_bias, Into how, const ColumnSums& column_sums) {
  if (how == Into::assigned) return column_sums(d_bias);
  const MatrixView of_slice = scratch_of_bias(d_bias.count());
  column_sums(of_slice);
  for (Index h = 0; h < d_bias.count(); ++h) d_bias.data[h] += of_slice.data[h];
}

}  // namespace dmoe::model
