// What a data set holds, as far as a result depends on it: kept with a run and compared at every later start.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "data/dataset.hpp"

namespace dmoe::data {

/// Of one split. Checksums are those of Dataset::labels() and inputs_checksum(), the same on any number of
/// ranks.
struct SplitContents {
  Index examples = 0;
  std::vector<Index> class_counts;  // (C)
  std::string inputs;               // checksum
  std::string labels;               // checksum
  bool operator==(const SplitContents&) const = default;
};

/// The levels of a factor, by name.
struct LevelNames {
  std::string factor;
  std::vector<std::string> levels;
  bool operator==(const LevelNames&) const = default;
  template <class Archive>
  void serialize(Archive& archive, unsigned /*version*/) {
    (archive & factor) & levels;
  }
};

struct Contents {
  std::vector<Index> example_shape;                    // {28, 28} pixels, {39} features; empty: not known
  Index classes = 0;                                   // C
  std::vector<LevelNames> names;                       // of the factors whose levels have names
  std::array<std::optional<SplitContents>, 3> splits;  // by Split; nothing where not known or not there
  bool operator==(const Contents&) const = default;

  const std::optional<SplitContents>& of(Split split) const {
    return splits[static_cast<std::size_t>(split)];
  }
  std::optional<SplitContents>& of(Split split) { return splits[static_cast<std::size_t>(split)]; }
};

/// Of these splits, as far as the data set has them; reads them where they were not read. InputError where
/// they are damaged. Local.
Contents contents_of(const Dataset& dataset,
                     const std::vector<Split>& splits = {Split::train, Split::validation, Split::test});

/// In what `now` differs, in words; what either does not know counts as equal. Local.
std::vector<std::string> differences(const Contents& before, const Contents& now);

/// Classes of which the training set has no example, in words that name them; empty where each has one.
/// Local.
std::string classes_not_trained(const Contents& contents);

}  // namespace dmoe::data
