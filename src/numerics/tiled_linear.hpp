// Products of which each tile has the bits that it would have alone: y = x W^T + b and its gradients.
//
// A slice of the rows and an expert of the units have bits of their own, whoever computes them and beside
// which others. The weights (H, D) of n experts one below the other are one W (n H, D), so that y (B, n H) =
// x W^T is one product of all of them, faster than one each: its vectors are full, and x is packed once. That
// it has the bits of n products is up to the library and the CPU: oneDNN 2.6.3 with AVX-512 computes every
// value alike whatever stands beside it, with AVX2 it does not. So each shape is tried once a process, on
// values of chance, and computed tile by tile where a single bit differs. The bits are those of the tiles
// either way: ranks need not agree on the way, on CPUs of different types neither.
#pragma once

#include <limits>
#include <span>

#include "core/matrix.hpp"
#include "numerics/linear.hpp"

namespace dmoe::numerics {

/// Rows [t rows, (t + 1) rows) and units [u units, (u + 1) units) of y are a tile; the last may be smaller.
struct Tile {
  static constexpr Index all = std::numeric_limits<Index>::max();
  Index rows = all;
  Index units = all;
};

/// Whether y = x W^T + b of these sizes is one product, of which each tile has its own bits. Tried at the
/// first call for a shape, which takes a few times as long as the product. Local.
bool is_one_product(Index rows, Index inputs, Index units, Activation activation, const Tile& tile);

/// y (B, H) = activation(x (B, D) W^T + b) with W (H, D), b (H). Local.
void linear(ConstMatrixView x, ConstMatrixView weight, std::span<const float> bias, Activation activation,
            MatrixView y, const Tile& tile);

/// dx (B, D) = dy (B, H) W with W (H, D), in tiles of so many rows. Local.
void linear_input_gradient(ConstRowsView d_y, ConstMatrixView weight, MatrixView d_x, Index tile_rows);

/// dW (H, D) = dy^T x with dy (B, H), x (B, D), in tiles of so many units. Assigned, not added. Local.
void linear_weight_gradient(ConstMatrixView d_y, ConstMatrixView x, MatrixView d_weight, Index tile_units);

/// dW += dy^T x: the product, rounded, and then added. Local.
void add_linear_weight_gradient(ConstMatrixView d_y, ConstMatrixView x, MatrixView d_weight,
                                Index tile_units);

}  // namespace dmoe::numerics
