#include "numerics/tiled_linear.hpp"

#include <algorithm>
#include <cassert>
#include <compare>
#include <cstring>
#include <map>
#include <utility>
#include <vector>

#include "core/random.hpp"
#include "core/simulation.hpp"

namespace dmoe::numerics {

namespace {

enum class Kind { values, rectified_values, input_gradient, weight_gradient };

/// What the bits of a product in tiles depend on, with whatever values.
struct TiledShape {
  Kind kind;
  Index rows, inputs, units;
  Index tile_rows, tile_units;
  Arithmetic arithmetic;
  auto operator<=>(const TiledShape&) const = default;

  Index summed() const {
    if (kind == Kind::weight_gradient) return rows;
    return kind == Kind::input_gradient ? units : inputs;
  }
  bool is_empty() const { return rows == 0 || inputs == 0 || units == 0; }
  Index values() const { return rows * inputs + units * inputs + 2 * rows * units; }  // of a trial
  bool is_one_tile() const { return tile_rows == rows && tile_units == units; }
  Index tile_values() const {
    if (kind == Kind::weight_gradient) return tile_units * inputs;
    return tile_rows * (kind == Kind::input_gradient ? inputs : tile_units);
  }
};

/// Calls part(first, count) for the tiles of `count` rows or units.
template <class Part>
void for_each_tile(Index count, Index tile, const Part& part) {
  for (Index first = 0; first < count; first += tile) {
    part(first, std::min(tile, count - first));
    if (tile > count - first) return;  // first + tile may be too large
  }
}

/// A buffer for a tile of y or of dy; it grows to the largest request.
MatrixView scratch_tile(Index rows, Index columns) {
  static Matrix buffer(1, 0);
  if (buffer.columns() < rows * columns) buffer = Matrix(1, rows * columns);
  return {buffer.view().data, rows, columns};
}

/// Columns [first, first + count) of a matrix.
template <class T>
BasicRowsView<T> columns_of(BasicMatrixView<T> matrix, Index first, Index count) {
  return {matrix.data + first, matrix.rows, count, matrix.columns};
}

/// The same rows without a gap, where they are or copied.
ConstMatrixView packed(ConstRowsView rows) {
  if (rows.stride == rows.columns || rows.rows <= 1) return {rows.data, rows.rows, rows.columns};
  const MatrixView copy = scratch_tile(rows.rows, rows.columns);
  for (Index b = 0; b < rows.rows; ++b) std::ranges::copy(rows.row(b), copy.row(b).begin());
  return copy;
}

void linear_tile_by_tile(ConstMatrixView x, ConstMatrixView weight, std::span<const float> bias,
                         Activation activation, MatrixView y, const Tile& tile) {
  for_each_tile(y.rows, tile.rows, [&](Index row, Index rows) {
    const ConstMatrixView x_rows = x.rows_from(row, rows);
    const MatrixView y_rows = y.rows_from(row, rows);
    if (tile.units >= y.columns) return linear(x_rows, weight, bias, activation, y_rows);
    for_each_tile(y.columns, tile.units, [&](Index unit, Index units) {
      const MatrixView alone = scratch_tile(rows, units);
      linear(x_rows, weight.rows_from(unit, units), bias.subspan(size(unit), size(units)), activation, alone);
      const auto place = columns_of(y_rows, unit, units);
      for (Index b = 0; b < rows; ++b) std::ranges::copy(alone.row(b), place.row(b).begin());
    });
  });
}

void input_gradient_tile_by_tile(ConstMatrixView d_y, ConstMatrixView weight, MatrixView d_x,
                                 Index tile_rows) {
  for_each_tile(d_x.rows, tile_rows, [&](Index row, Index rows) {
    linear_input_gradient(d_y.rows_from(row, rows), weight, d_x.rows_from(row, rows));
  });
}

/// Calls gradient(dy of a tile, its rows of dW).
template <class Gradient>
void weight_gradient_tile_by_tile(ConstMatrixView d_y, MatrixView d_weight, Index tile_units,
                                  const Gradient& gradient) {
  for_each_tile(d_weight.rows, tile_units, [&](Index unit, Index units) {
    gradient(packed(columns_of(d_y, unit, units)), d_weight.rows_from(unit, units));
  });
}

/// Copies of the first `count` rows below them.
void repeat_rows(MatrixView matrix, Index count) {
  for (Index row = count; row < matrix.rows; ++row)
    std::ranges::copy(matrix.row(row - count), matrix.row(row).begin());
}

/// Values of chance, other ones wherever a matrix begins: a pattern of prime length over and over, since
/// millions of them would take longer than the products.
class Chance {
 public:
  explicit Chance(Index first) : next_(size(first) % pattern().size()) {}
  /// (rows, columns), of which every `period` rows are the same.
  Matrix matrix(Index rows, Index columns, Index period) {
    Matrix matrix(rows, columns);
    for (auto left = matrix.first_rows(period).values(); !left.empty();) {
      const std::size_t count = std::min(left.size(), pattern().size() - next_);
      std::copy_n(pattern().begin() + static_cast<std::ptrdiff_t>(next_), count, left.begin());
      left = left.subspan(count);
      next_ = (next_ + count) % pattern().size();
    }
    repeat_rows(matrix.view(), period);
    return matrix;
  }

 private:
  static const std::vector<float>& pattern() {
    static const std::vector<float> values = [] {
      constexpr std::size_t prime = 65'537;
      std::vector<float> made(prime);
      RandomStream stream(0, Purpose::self_test, 4);
      for (float& value : made) value = stream.uniform(-1, 1);
      return made;
    }();
    return values;
  }
  std::size_t next_;
};

/// A product of values of chance at once and one of its tiles alone. All tiles are of equal values, so that
/// one stands for all, and a shorter last one is the beginning of the others.
class Trial {
 public:
  Trial(const TiledShape& shape, Index first_value) : shape_(shape) {
    Chance chance(first_value);
    const bool has_d_y = shape.kind == Kind::input_gradient || shape.kind == Kind::weight_gradient;
    if (shape.kind != Kind::input_gradient) x_ = chance.matrix(shape.rows, shape.inputs, shape.tile_rows);
    if (shape.kind != Kind::weight_gradient)
      weight_ = chance.matrix(shape.units, shape.inputs, shape.tile_units);
    if (!has_d_y) bias_ = chance.matrix(shape.units, 1, shape.tile_units);
    if (has_d_y) d_y_ = chance.matrix(shape.rows, shape.units, shape.tile_rows);
    if (shape.kind == Kind::weight_gradient) {
      for (Index b = 0; b < shape.rows; ++b)
        repeat_rows({d_y_.view().row(b).data(), shape.units, 1}, shape.tile_units);
    }
  }

  bool has_same_bits() const {
    const Matrix all = product(shape_.rows, shape_.units);
    Matrix alone;
    bool is_same = true;
    const auto compare = [&](Index row, Index rows, Index unit, Index units) {
      if (const auto [height, width] = size_of(rows, units);
          alone.rows() != height || alone.columns() != width)
        alone = product(rows, units);
      const auto [first_row, first_column] = place_of(row, unit);
      for (Index r = 0; r < alone.rows(); ++r) {
        const auto of_all = all.view().row(first_row + r).subspan(size(first_column));
        is_same = is_same && std::memcmp(of_all.data(), alone.view().row(r).data(),
                                         alone.view().row(r).size_bytes()) == 0;
      }
    };
    for_each_tile(shape_.rows, shape_.tile_rows, [&](Index row, Index rows) {
      for_each_tile(shape_.units, shape_.tile_units,
                    [&](Index unit, Index units) { compare(row, rows, unit, units); });
    });
    return is_same;
  }

 private:
  /// Of the result of so many rows and units.
  std::pair<Index, Index> size_of(Index rows, Index units) const {
    if (shape_.kind == Kind::weight_gradient) return {units, shape_.inputs};
    return {rows, shape_.kind == Kind::input_gradient ? shape_.inputs : units};
  }
  /// Where that of a tile begins in that of all.
  std::pair<Index, Index> place_of(Index row, Index unit) const {
    if (shape_.kind == Kind::weight_gradient) return {unit, 0};
    return {row, shape_.kind == Kind::input_gradient ? 0 : unit};
  }
  /// Of the first rows and units.
  Matrix product(Index rows, Index units) const {
    const auto [height, width] = size_of(rows, units);
    Matrix result(height, width);
    if (shape_.kind == Kind::weight_gradient) {
      linear_weight_gradient(packed(columns_of(d_y_.view(), 0, units)), x_.view(), result.view());
    } else if (shape_.kind == Kind::input_gradient) {
      linear_input_gradient(d_y_.first_rows(rows), weight_.view(), result.view());
    } else {
      linear(x_.first_rows(rows), weight_.first_rows(units), bias_.values().first(size(units)),
             shape_.kind == Kind::rectified_values ? Activation::relu : Activation::identity, result.view());
    }
    return result;
  }

  TiledShape shape_;
  Matrix x_, weight_, bias_, d_y_;
};

/// Sums of fewer terms show another order too seldom: of 8 terms in one value of ten, of 30 in four.
constexpr Index least_summed = 16;
/// Values of a tile to be compared: those of a small one in several trials, of a smaller one never.
constexpr Index enough_values = 1024;
constexpr Index most_trials = 8;
/// A product that takes more than this much memory, 256 MB, once more for its trial has no need of being one.
constexpr Index most_values = Index{1} << 26;

bool is_same_in_trials(const TiledShape& shape) {
  const Index values = shape.tile_values();
  if (shape.values() > most_values || shape.summed() < least_summed || most_trials * values < enough_values)
    return false;
  for (Index compared = 0; compared < enough_values; compared += values) {
    if (!Trial(shape, compared).has_same_bits()) return false;
  }
  return true;
}

/// Whether the product at once has the bits of its tiles. What a shape's code does, it does with all values.
bool keeps_tiles(TiledShape shape) {
  if constexpr (simulation::is_on) return true;
  shape.tile_rows = std::min(shape.tile_rows, shape.rows);
  shape.tile_units = std::min(shape.tile_units, shape.units);
  if (shape.is_empty() || shape.is_one_tile()) return true;
  static std::map<TiledShape, bool> known;
  if (const auto found = known.find(shape); found != known.end()) return found->second;
  return known.emplace(shape, is_same_in_trials(shape)).first->second;
}

bool keeps_tiles_of_gradient(ConstMatrixView d_y, ConstMatrixView x, Index tile_units) {
  return keeps_tiles({Kind::weight_gradient, d_y.rows, x.columns, d_y.columns, Tile::all, tile_units,
                      arithmetic_in_force()});
}

}  // namespace

bool is_one_product(Index rows, Index inputs, Index units, Activation activation, const Tile& tile) {
  const Kind kind = activation == Activation::relu ? Kind::rectified_values : Kind::values;
  return keeps_tiles({kind, rows, inputs, units, tile.rows, tile.units, arithmetic_in_force()});
}

void linear(ConstMatrixView x, ConstMatrixView weight, std::span<const float> bias, Activation activation,
            MatrixView y, const Tile& tile) {
  assert(tile.rows > 0 && tile.units > 0);
  if (is_one_product(y.rows, x.columns, y.columns, activation, tile)) {
    linear(x, weight, bias, activation, y);
  } else {
    linear_tile_by_tile(x, weight, bias, activation, y, tile);
  }
}

void linear_input_gradient(ConstRowsView d_y, ConstMatrixView weight, MatrixView d_x, Index tile_rows) {
  assert(tile_rows > 0);
  const TiledShape shape{Kind::input_gradient, d_x.rows, d_x.columns, weight.rows, tile_rows, Tile::all,
                         arithmetic_in_force()};
  const Index rows_at_once = keeps_tiles(shape) ? Tile::all : tile_rows;
  input_gradient_tile_by_tile(packed(d_y), weight, d_x, rows_at_once);
}

void linear_weight_gradient(ConstMatrixView d_y, ConstMatrixView x, MatrixView d_weight, Index tile_units) {
  if (keeps_tiles_of_gradient(d_y, x, tile_units)) return linear_weight_gradient(d_y, x, d_weight);
  weight_gradient_tile_by_tile(d_y, d_weight, tile_units, [&](ConstMatrixView d_y_tile, MatrixView into) {
    linear_weight_gradient(d_y_tile, x, into);
  });
}

void add_linear_weight_gradient(ConstMatrixView d_y, ConstMatrixView x, MatrixView d_weight,
                                Index tile_units) {
  if (keeps_tiles_of_gradient(d_y, x, tile_units)) return add_linear_weight_gradient(d_y, x, d_weight);
  weight_gradient_tile_by_tile(d_y, d_weight, tile_units, [&](ConstMatrixView d_y_tile, MatrixView into) {
    add_linear_weight_gradient(d_y_tile, x, into);
  });
}

}  // namespace dmoe::numerics
