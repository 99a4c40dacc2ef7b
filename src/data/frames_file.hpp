// Reader of dmoe-frames files: labelled frames of speech, in utterances.
//
//   /                         attributes format = "dmoe-frames", format_version = 1
//   /frames/features          (F, K) float32, K features of each frame, not stacked, utterance by utterance;
//                             float64 is rounded to it
//   /frames/labels            (F) codes of classes
//   /frames/factors/NAME      (F) codes: what else is known of a frame; any number of factors
//   /utterances/first_frame   (U) where each utterance begins: 0 first, then ascending
//   /utterances/split         (U) codes of splits: "train", and those to test on, of any name
//   /utterances/factors/NAME  (U) codes: what is known of a whole utterance, its speaker for example
//
// Codes are integers of any type and count from 0; their dataset's attribute `levels` (texts) names them.
// Factors are optional, and whatever else a file holds is left alone.
// The least that is a valid file, in Python, for features from TIMIT or Kaldi:
//
//   import h5py, numpy
//   with h5py.File("frames.h5", "w") as file:
//       file.attrs["format"], file.attrs["format_version"] = "dmoe-frames", 1
//       file["frames/features"] = numpy.concatenate(utterances).astype("float32")  # of (frames, K) arrays
//       file["frames/labels"] = labels
//       file["frames/labels"].attrs["levels"] = ["sil", "aa", "ae"]
//       file["utterances/first_frame"] = numpy.cumsum([0] + [len(u) for u in utterances[:-1]])
//       file["utterances/split"] = splits
//       file["utterances/split"].attrs["levels"] = ["train", "test"]
//
// Reading is quick where the utterances of a split stand together.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/types.hpp"
#include "hdf5/file.hpp"

namespace dmoe::data {

inline constexpr std::string_view frames_format = "dmoe-frames";

/// Something known of every frame, as a code with a name.
struct FrameFactor {
  std::string name;
  std::vector<std::string> levels;
};

/// Frames of some utterances, one utterance after the other.
struct Frames {
  std::vector<Index> first;                        // (U + 1) first frame of each utterance; behind it, F
  std::vector<float> features;                     // (F, K)
  std::vector<std::int32_t> labels;                // (F), 0 .. C-1
  std::vector<std::vector<std::int32_t>> factors;  // (F) of each factor of the file

  Index count() const { return static_cast<Index>(labels.size()); }
};

/// An open dmoe-frames file. Opening reads and checks all but the frames: what they are is known without
/// them. Every InputError names the file, the place in it, the value and what is allowed.
class FramesFile {
 public:
  /// InputError where the file is no such file, or where its parts do not fit together. Local.
  explicit FramesFile(const std::filesystem::path& path);

  const std::string& path() const { return file_.path(); }
  /// K
  Index feature_count() const { return feature_count_; }
  /// Whether features have more digits than float32 keeps.
  bool rounds_features() const { return rounds_features_; }
  const std::vector<std::string>& classes() const { return classes_; }
  /// Those of utterances, then those of frames.
  const std::vector<FrameFactor>& factors() const { return factors_; }
  const std::vector<std::string>& splits() const { return splits_; }
  Index utterance_count() const { return static_cast<Index>(first_.size()) - 1; }
  /// Frames of an utterance.
  Index length(Index utterance) const { return first_[size(utterance) + 1] - first_[size(utterance)]; }
  /// The utterances of a split, in the order of the file, at least one. InputError where the file has no such
  /// split, or nothing in it. Local.
  std::vector<Index> utterances(std::string_view split) const;
  /// Their frames. InputError where a feature is not finite, or a code has no name. Local.
  Frames read(std::span<const Index> utterances) const;

 private:
  std::vector<std::int32_t> read_codes(const std::string& path, hdf5::Rows rows, Index levels) const;
  std::vector<std::string> add_factors(const std::string& group);
  template <class Stored>
  void read_features(hdf5::Rows rows, std::span<float> features) const;
  void read_rows(hdf5::Rows rows, Frames& frames) const;

  hdf5::File file_;
  Index feature_count_ = 0;
  bool rounds_features_ = false;
  std::vector<Index> first_;  // (U + 1)
  std::vector<std::string> classes_;
  std::vector<std::string> splits_;
  std::vector<std::int32_t> split_;  // (U)
  std::vector<FrameFactor> factors_;
  std::vector<std::vector<std::int32_t>> utterance_codes_;  // (U) of each of the first factors
  std::vector<std::string> frame_factors_;                  // paths of the others
};

}  // namespace dmoe::data
