// What a routing made of a batch: the experts that each row chose, and their gate values in use.
#pragma once

#include "core/matrix.hpp"

namespace dmoe::model {

/// One matrix (B, 2 K), so that it travels as one message: of each row up to K experts, ascending, as numbers
/// (exact: there are far fewer than 2^24), missing ones -1, then as many values. Views somebody else's
/// memory.
template <class T>
class BasicChoices {
 public:
  BasicChoices() = default;
  explicit BasicChoices(BasicMatrixView<T> table) : table_(table) {}
  /// Columns of the matrix where a row chooses at most `most` experts.
  static constexpr Index columns(Index most) { return 2 * most; }

  Index rows() const { return table_.rows; }
  /// K
  Index most() const { return table_.columns / 2; }
  /// The expert in place j of row b, or -1.
  Index expert(Index b, Index j) const { return static_cast<Index>(table_(b, j)); }
  T& value(Index b, Index j) const { return table_(b, most() + j); }
  /// Experts that row b chose.
  Index count(Index b) const {
    Index found = 0;
    while (found < most() && table_(b, found) >= 0) ++found;
    return found;
  }
  /// Puts an expert in place j, or none (-1).
  void set(Index b, Index j, Index expert, float value) const {
    table_(b, j) = static_cast<float>(expert);
    table_(b, most() + j) = value;
  }
  // clang-format off: its versions differ
  operator BasicChoices<const T>() const requires(!std::is_const_v<T>) {
    return BasicChoices<const T>(table_);
  }
  // clang-format on

 private:
  BasicMatrixView<T> table_;
};

using Choices = BasicChoices<float>;
using ConstChoices = BasicChoices<const float>;

}  // namespace dmoe::model
