// Row-major float matrices: a view for functions, owners for buffers.
#pragma once

#include <algorithm>
#include <cassert>
#include <cstdlib>
#include <memory>
#include <new>
#include <span>
#include <type_traits>

#include "core/simulation.hpp"
#include "core/types.hpp"

namespace dmoe {

/// A contiguous row-major matrix (rows, columns) that somebody else owns.
template <class T>
struct BasicMatrixView {
  T* data = nullptr;
  Index rows = 0;
  Index columns = 0;

  T& operator()(Index row, Index column) const {
    assert(row >= 0 && row < rows && column >= 0 && column < columns);
    return data[row * columns + column];
  }
  std::span<T> row(Index r) const {
    assert(r >= 0 && r < rows);
    return {data + r * columns, size(columns)};
  }
  /// Rows [first, first + count).
  BasicMatrixView rows_from(Index first, Index count) const {
    assert(first >= 0 && count >= 0 && first + count <= rows);
    return {data + first * columns, count, columns};
  }
  std::span<T> values() const { return {data, size(rows * columns)}; }
  Index count() const { return rows * columns; }
  // clang-format off: its versions differ
  operator BasicMatrixView<const T>() const requires(!std::is_const_v<T>) { return {data, rows, columns}; }
  // clang-format on
};

using MatrixView = BasicMatrixView<float>;
using ConstMatrixView = BasicMatrixView<const float>;

/// What a matrix is looked at for: choices decide what is done, in a simulation (simulation.hpp) too.
enum class Contents { numbers, choices };

/// Rows that begin `stride` values after each other: every n-th row of a matrix, or some of its columns.
template <class T>
struct BasicRowsView {
  T* data = nullptr;
  Index rows = 0;
  Index columns = 0;
  Index stride = 0;

  BasicRowsView() = default;
  BasicRowsView(T* first, Index row_count, Index column_count, Index step)
      : data(first), rows(row_count), columns(column_count), stride(step) {}
  // clang-format off: its versions differ
  template <class U>
  requires std::is_convertible_v<U*, T*> BasicRowsView(const BasicMatrixView<U>& all)
      : BasicRowsView(all.data, all.rows, all.columns, all.columns) {}
  template <class U>
  requires std::is_convertible_v<U*, T*> BasicRowsView(const BasicRowsView<U>& all)
      : BasicRowsView(all.data, all.rows, all.columns, all.stride) {}
  // clang-format on
  std::span<T> row(Index r) const {
    assert(r >= 0 && r < rows);
    return {data + r * stride, size(columns)};
  }
};

using RowsView = BasicRowsView<float>;
using ConstRowsView = BasicRowsView<const float>;

/// Owner of a zero-initialised (rows, columns) matrix on a 64-byte boundary. Invariant: the storage never
/// moves, so views stay valid for the owner's life, moves of the owner included.
class Matrix {
 public:
  Matrix() = default;
  Matrix(Index rows, Index columns, [[maybe_unused]] Contents contents = Contents::numbers)
      : rows_(rows), columns_(columns) {
    const std::size_t bytes = (size(rows * columns) * sizeof(float) + 63) / 64 * 64;
    if (bytes == 0) return;
    if constexpr (simulation::is_on) {
      if (contents == Contents::numbers) {
        data_.reset(simulation::folded_memory(bytes));
        return;
      }
    }
    data_.reset(static_cast<float*>(std::aligned_alloc(64, bytes)));
    if (!data_) throw std::bad_alloc();
    std::fill_n(data_.get(), bytes / sizeof(float), 0.0F);
  }
  MatrixView view() { return {data_.get(), rows_, columns_}; }
  ConstMatrixView view() const { return {data_.get(), rows_, columns_}; }
  /// The first `count` rows: a buffer made for the largest batch, used for a smaller one.
  MatrixView first_rows(Index count) { return view().rows_from(0, count); }
  ConstMatrixView first_rows(Index count) const { return view().rows_from(0, count); }
  std::span<float> values() { return view().values(); }
  std::span<const float> values() const { return view().values(); }
  Index rows() const { return rows_; }
  Index columns() const { return columns_; }

 private:
  struct Free {
    void operator()(float* pointer) const {
      if constexpr (simulation::is_on) {
        if (simulation::is_folded(pointer)) return;
      }
      std::free(pointer);
    }
  };
  std::unique_ptr<float[], Free> data_;
  Index rows_ = 0;
  Index columns_ = 0;
};

/// A matrix of one width whose rows are as many as were ever asked for. Views end where it grows.
class GrowingMatrix {
 public:
  explicit GrowingMatrix(Index columns, Contents contents = Contents::numbers)
      : matrix_(0, columns), contents_(contents) {}
  /// The first `count` rows; what stands in them stays for as long as nobody asks for more.
  MatrixView rows(Index count) {
    if (count > matrix_.rows()) matrix_ = Matrix(count + count / 8, matrix_.columns(), contents_);
    return matrix_.first_rows(count);
  }
  /// Of those asked for before.
  ConstMatrixView rows_from(Index first, Index count) const { return matrix_.view().rows_from(first, count); }
  MatrixView rows_from(Index first, Index count) { return matrix_.view().rows_from(first, count); }

 private:
  Matrix matrix_;
  Contents contents_;
};

}  // namespace dmoe
