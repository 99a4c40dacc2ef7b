// The gate values of a layer over many examples, without those that are 0: with top-k routing all but k of an
// example are.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/matrix.hpp"
#include "core/types.hpp"

namespace dmoe::analysis {

/// (X, N): X examples, N experts. Takes 8 bytes a value that is not 0.
class Gates {
 public:
  struct Entry {
    std::int32_t expert = 0;
    float value = 0;
    bool operator==(const Entry&) const = default;
  };

  explicit Gates(Index experts) : experts_(experts) {}
  /// Of these rows. Local.
  explicit Gates(ConstMatrixView rows) : Gates(rows.columns) { append(rows); }

  /// The next examples (B, N). Local.
  void append(ConstMatrixView rows);
  /// The next example, its experts in ascending order. Local.
  void append(std::span<const Entry> row);

  Index examples() const { return static_cast<Index>(begins_.size()) - 1; }
  Index experts() const { return experts_; }
  /// What is not 0 of an example, experts in ascending order.
  std::span<const Entry> of(Index example) const {
    return std::span(entries_).subspan(begins_[size(example)],
                                       begins_[size(example) + 1] - begins_[size(example)]);
  }
  /// All of them, one example after the other.
  std::span<const Entry> entries() const { return entries_; }
  /// The expert with the largest gate, the first of equals. Local.
  Index largest(Index example) const;

 private:
  Index experts_;
  std::vector<std::size_t> begins_{0};  // (X + 1), into
  std::vector<Entry> entries_;
};

/// The same expert by expert, of some of them.
class GateColumns {
 public:
  /// Of experts [first, end). Local.
  GateColumns(const Gates& gates, Index first, Index end);
  /// The gates (X) of one of them into `column`. Local.
  void write(Index expert, std::span<float> column) const;

 private:
  struct Entry {
    std::int32_t example;
    float value;
  };
  Index first_;
  std::vector<std::size_t> begins_;
  std::vector<Entry> entries_;
};

}  // namespace dmoe::analysis
