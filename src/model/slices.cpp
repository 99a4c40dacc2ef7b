#include "model/slices.hpp"

#include <deque>

#include "numerics/kernels.hpp"

namespace dmoe::model {

const Slices& Slices::whole() {
  static const Slices one(1, 0, 0, 1);
  return one;
}

namespace {

/// A buffer that grows to the largest request.
MatrixView grown(Matrix& buffer, Index rows, Index columns) {
  if (buffer.columns() < rows * columns) buffer = Matrix(1, rows * columns);
  return {buffer.view().data, rows, columns};
}

}  // namespace

MatrixView scratch_of_slices(std::size_t depth, Index rows, Index columns) {
  static std::deque<Matrix> buffers;
  while (buffers.size() <= depth) buffers.emplace_back(1, 0);
  return grown(buffers[depth], rows, columns);
}

MatrixView scratch_of_bias(Index columns) {
  static Matrix buffer(1, 0);
  return grown(buffer, 1, columns);
}

void add_weight_gradient(ConstMatrixView d_y, ConstMatrixView x, MatrixView d_weight, Into how,
                         Index tile_units) {
  if (how == Into::assigned) {
    numerics::linear_weight_gradient(d_y, x, d_weight, tile_units);
  } else {
    numerics::add_linear_weight_gradient(d_y, x, d_weight, tile_units);
  }
}

void add_bias_gradient(ConstMatrixView d_y, MatrixView d_bias, Into how) {
  add_bias_gradient(d_bias, how, [&](MatrixView into) { numerics::column_sums(d_y, into.values()); });
}

void linear_gradients(const Slices& slices, ConstMatrixView d_y, ConstMatrixView x, Weights& weight,
                      Weights& bias, Index tile_units) {
  const auto range = [&](Index j) { return slices.of(j, x.rows); };
  const auto is_there = [&](Index j) { return range(j).count > 0; };
  const auto of = [&](ConstMatrixView all, Index j) { return all.rows_from(range(j).first, range(j).count); };
  sum_over_slices(
      slices, is_there, [&](Index k) { return weight.gradient_block(k); },
      [&](Index j, MatrixView into, Into how) {
        add_weight_gradient(of(d_y, j), of(x, j), into, how, tile_units);
      });
  sum_over_slices(
      slices, is_there, [&](Index k) { return bias.gradient_block(k); },
      [&](Index j, MatrixView into, Into how) { add_bias_gradient(of(d_y, j), into, how); });
}

}  // namespace dmoe::model
