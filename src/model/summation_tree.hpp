// The one order in which sums over experts are taken, whoever holds them.
//
// A sum over experts 0 .. N-1 follows the binary tree over the global indices padded to a power of two; a
// subtree without experts is skipped, never added as 0:
//
//     N = 5:        (((0 + 1) + (2 + 3)) + 4)            expert 4's right neighbours 5, 6, 7 do not exist
//
// A rank that holds experts [first, end) sends the sums of the maximal subtrees (blocks) inside its range,
// and whoever needs the sum adds those along the same tree: the bits are those of one rank that holds all.
// Sums are made in place, so they must not overlap what is added.
#pragma once

#include <bit>
#include <span>
#include <vector>

#include "core/matrix.hpp"
#include "core/types.hpp"

namespace dmoe::model {

/// How the rows (H) of n experts for B rows of a batch stand in one matrix of n B rows: those of an expert
/// one below the other, expert after expert; or those of a batch's row side by side, row after row, which is
/// the matrix (B, n H).
enum class Arrangement { one_below_other, side_by_side };

/// A subtree: the experts [first, first + width) that exist, width a power of two, first a multiple of it.
struct TreeBlock {
  Index first = 0;
  Index width = 1;
  bool operator==(const TreeBlock&) const = default;
};

/// The whole tree over N experts. Local.
inline TreeBlock whole_tree(Index experts) {
  return {0, static_cast<Index>(std::bit_ceil(static_cast<std::uint64_t>(experts)))};
}

/// The maximal blocks that hold exactly the experts [first, end) of N, from left to right; at most 2 log2 N.
/// Local.
std::vector<TreeBlock> maximal_blocks(Index first, Index end, Index experts);

/// sum (B, H) = the block's part of z = sum_i g_i f_i: each product g_i f_i is rounded, then added along the
/// tree. gates (B, N); outputs: f_i (B, H) of n experts from `first_output` on, (n B, H) in this arrangement.
/// Local.
void weighted_tree_sum(const TreeBlock& block, ConstMatrixView gates, ConstMatrixView outputs,
                       Index first_output, MatrixView sum,
                       Arrangement arrangement = Arrangement::one_below_other);

/// sum (B, H) = the block's part of sum_i leaf_i with leaves as above, one below the other. Local.
void tree_sum(const TreeBlock& block, Index experts, ConstMatrixView leaves, Index first_leaf,
              MatrixView sum);

/// A term of one row's sum: values (H) of an expert, or the sum of a block that begins with it.
struct TreeTerm {
  Index first;
  const float* values;
  const float* weight = nullptr;  // the term is weight times values, rounded; null: the values
};

/// sum (H) of the terms that there are, sorted by `first`, at least one, along the tree: whatever is absent
/// is skipped. Local.
void sum_terms(std::span<const TreeTerm> terms, std::span<float> sum);

/// One block's sum, wherever it was computed.
struct BlockSum {
  TreeBlock block;
  const float* values;  // (B, H)
};

/// sum (B, H) over all N experts from the sums of blocks that together hold each expert once, sorted by their
/// first expert. Local.
void combine_blocks(std::span<const BlockSum> blocks, Index experts, MatrixView sum);

}  // namespace dmoe::model
