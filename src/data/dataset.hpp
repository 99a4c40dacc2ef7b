// What the trainer knows of a data set: sizes, factors, and how to present examples.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/matrix.hpp"
#include "core/random.hpp"
#include "core/types.hpp"

namespace dmoe::data {

enum class Split { train, validation, test };
/// "train", "validation", "test". Local.
inline std::string split_name(Split split) {
  static const std::array<const char*, 3> names{"train", "validation", "test"};
  return names[static_cast<std::size_t>(split)];
}

/// A known property of a presented example, for example its class (10) or its translation (9, 9).
struct Factor {
  std::string name;
  std::vector<Index> levels;            // sizes of its axes
  std::vector<std::string> axes;        // their names, for example {"row_translation", "column_translation"}
  std::vector<std::string> names = {};  // of the levels, where they have names
  Index level_count() const {
    Index count = 1;
    for (const Index level : levels) count *= level;
    return count;
  }
};

/// B examples as presented: what the network sees, and what is known of it. A buffer made for `capacity`
/// examples and reused.
struct Batch {
  Batch(Index capacity, Index input_width, std::size_t factor_count)
      : inputs_(capacity, input_width), labels_(size(capacity)), factors_(factor_count, labels_) {}

  Index capacity() const { return inputs_.rows(); }
  /// (B, D)
  MatrixView inputs() { return inputs_.first_rows(rows); }
  ConstMatrixView inputs() const { return inputs_.first_rows(rows); }
  /// (B), in 0 .. C-1; the same values as factor 0.
  std::span<std::int32_t> labels() { return {labels_.data(), size(rows)}; }
  std::span<const std::int32_t> labels() const { return {labels_.data(), size(rows)}; }
  /// (B), flat level of factor f, last axis fastest.
  std::span<std::int32_t> factor(std::size_t f) { return {factors_[f].data(), size(rows)}; }
  std::span<const std::int32_t> factor(std::size_t f) const { return {factors_[f].data(), size(rows)}; }

  Index rows = 0;  // B of the examples it holds now

 private:
  Matrix inputs_;
  std::vector<std::int32_t> labels_;
  std::vector<std::vector<std::int32_t>> factors_;
};

/// Where the random transformation of presented row r comes from: the stream (seed, purpose, number(r)).
struct Draw {
  Purpose purpose = Purpose::train_transform;
  std::uint64_t first = 0;
  std::span<const Index> rows{};  // of what begins with the first, in which order; none: all from there on
  std::uint64_t number(Index r) const {
    return first + static_cast<std::uint64_t>(rows.empty() ? r : rows[size(r)]);
  }
};

/// A data set with its splits. Every rank holds one and presents the same examples: nothing is sent.
class Dataset {
 public:
  virtual ~Dataset() = default;
  Dataset() = default;
  Dataset(const Dataset&) = delete;
  Dataset& operator=(const Dataset&) = delete;

  /// D
  virtual Index input_width() const = 0;
  /// C
  virtual Index class_count() const = 0;
  /// Number of examples; 0 for a split that the data set does not have.
  virtual Index example_count(Split split) const = 0;
  /// Factor 0 is the class.
  virtual const std::vector<Factor>& factors() const = 0;
  /// Where examples are no independent draws but come in groups, such as the frames of an utterance: the
  /// first example of each group, ascending from 0. Empty where each stands for itself. Local.
  virtual std::vector<Index> groups(Split /*split*/) const { return {}; }
  /// Of one example before it is transformed, for example {28, 28} pixels or {39} features. Local.
  virtual std::vector<Index> example_shape() const { return {input_width()}; }
  /// What one should know of how it was read, a line each; nothing where it is as its files say. Local.
  virtual std::vector<std::string> remarks() const { return {}; }
  /// (n), in 0 .. C-1. Reads the split where it was not read; InputError where it is damaged. Local.
  virtual std::vector<std::int32_t> labels(Split split) const;
  /// Of the split's inputs before they are transformed (data/checksum.hpp). Whoever transforms them must say:
  /// by default they are presented one after the other. Reads as labels() does. Local.
  virtual std::string inputs_checksum(Split split) const;
  /// Puts examples[r] of the split into row r of the batch, B = examples.size() <= capacity. Examples of the
  /// training set are transformed by the draw; those of the other splits always in the same way, whatever the
  /// seed and the draw. A pure function of its arguments. Local.
  virtual void present(Split split, std::span<const Index> examples, Draw draw, Batch& batch) const = 0;
};

}  // namespace dmoe::data
