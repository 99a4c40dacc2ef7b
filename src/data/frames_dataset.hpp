// Frames of speech with their neighbours (paper, experiment 2): each example is a frame with c frames on
// either side of it, the input of D = (2c + 1) K.
//
// A neighbour beyond the utterance's end is the last frame there is. The files hold each frame once; it is
// put together when presented.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "data/dataset.hpp"
#include "data/frames_file.hpp"

namespace dmoe::data {

struct FramesOptions {
  Index context = 5;          // c [frames]
  std::string test = "test";  // the split of the file that is the test set
  Index validation = 0;       // taken out of the training set: at least so many examples
  std::uint64_t test_seed = 1;
};

/// Examples are presented as they are, always in the same way. Factors: "class" and those of the file.
///
/// Validation examples are whole utterances of the file's split "train": the first ones of a permutation
/// keyed by (test_seed, validation_split, 0), until there are enough. A split's frames are read when it is
/// first presented, and kept: whoever only tests reads no training frames. Not for threads at the same time.
class FramesDataset final : public Dataset {
 public:
  /// InputError where a split is empty or there is none named "train"; SettingError where the file has no
  /// such test split, or nothing would be left to train on. Local.
  FramesDataset(FramesFile file, FramesOptions options);

  Index input_width() const override { return (2 * options_.context + 1) * file_.feature_count(); }
  Index class_count() const override { return static_cast<Index>(file_.classes().size()); }
  Index example_count(Split split) const override;
  const std::vector<Factor>& factors() const override { return factors_; }
  std::vector<std::string> remarks() const override;
  /// Utterances.
  std::vector<Index> groups(Split split) const override;
  std::vector<Index> example_shape() const override { return {file_.feature_count()}; }
  std::vector<std::int32_t> labels(Split split) const override { return frames(split).labels; }
  /// Of the features, then of where utterances begin, which says what is a frame's neighbour.
  std::string inputs_checksum(Split split) const override;
  /// InputError where a frame of the split is damaged.
  void present(Split split, std::span<const Index> examples, Draw draw, Batch& batch) const override;

  /// Whether the split's frames are in memory. Local.
  bool is_read(Split split) const { return part(split).frames.has_value(); }

 private:
  struct Part {
    std::vector<Index> utterances;
    Index example_count = 0;
    std::optional<Frames> frames;
  };
  Part& part(Split split) const { return parts_[static_cast<std::size_t>(split)]; }
  const Frames& frames(Split split) const;
  void hold_out_validation();

  FramesFile file_;
  FramesOptions options_;
  std::vector<Factor> factors_;
  mutable std::array<Part, 3> parts_;  // by Split
};

}  // namespace dmoe::data
