#include "data/frames_file.hpp"

#include <algorithm>
#include <cmath>
#include <type_traits>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/error.hpp"
#include "hdf5/format.hpp"

namespace dmoe::data {
namespace {

constexpr const char* features_path = "/frames/features";
constexpr const char* labels_path = "/frames/labels";
constexpr const char* first_path = "/utterances/first_frame";
constexpr const char* split_path = "/utterances/split";

/// The shape of a dataset; InputError unless it has that many axes, none of size 0.
hdf5::Shape checked_shape(const hdf5::File& file, const std::string& path, std::size_t axes) {
  hdf5::Shape shape = file.shape(path);
  if (shape.size() != axes || hdf5::element_count(shape) == 0) {
    throw InputError("{}: {}: its shape is {}, expected {} of size 1 or more", file.path(), path,
                     hdf5::to_text(shape), axes == 1 ? "one axis" : "two axes");
  }
  return shape;
}

void check_length(const hdf5::File& file, const std::string& path, Index expected, std::string_view what) {
  const hdf5::Shape shape = checked_shape(file, path, 1);
  if (shape[0] == expected) return;
  throw InputError("{}: {}: it has {} values, expected {}, one for every {}", file.path(), path, shape[0],
                   expected, what);
}

std::vector<std::string> levels_of(const hdf5::File& file, const std::string& path) {
  auto levels = file.read_attribute<std::vector<std::string>>(path, "levels");
  if (levels.empty()) {
    throw InputError("{}: {}: its attribute 'levels' is empty, expected at least one", file.path(), path);
  }
  for (auto level = levels.begin(); level != levels.end(); ++level) {
    if (const auto other = std::find(levels.begin(), level, *level); other != level)
      throw InputError(
          "{}: {}: its attribute 'levels' names '{}' twice, as {} and {}; expected a name for each",
          file.path(), path, *level, other - levels.begin(), level - levels.begin());
  }
  return levels;
}

/// Where each of the utterances begins, and behind them frame_count.
std::vector<Index> read_first_frames(const hdf5::File& file, Index frame_count) {
  checked_shape(file, first_path, 1);
  const auto stored = file.read<std::int64_t>(first_path);
  std::vector<Index> first(stored.begin(), stored.end());
  for (std::size_t u = 0; u < first.size(); ++u) {
    const Index least = u == 0 ? 0 : first[u - 1] + 1;
    const Index most = u == 0 ? 0 : frame_count - 1;
    if (first[u] >= least && first[u] <= most) continue;
    throw InputError("{}: {}: utterance {} begins at frame {}, expected {}", file.path(), first_path, u,
                     first[u],
                     u == 0 ? "0" : fmt::format("more than {} and less than {}", first[u - 1], frame_count));
  }
  first.push_back(frame_count);
  return first;
}

}  // namespace

FramesFile::FramesFile(const std::filesystem::path& path) : file_(hdf5::File::open_read(path)) {
  hdf5::check_format(file_, {frames_format});
  const hdf5::Shape shape = checked_shape(file_, features_path, 2);
  feature_count_ = shape[1];
  rounds_features_ = !file_.fits<float>(features_path) && file_.fits<double>(features_path);
  check_length(file_, labels_path, shape[0], "frame");
  classes_ = levels_of(file_, labels_path);
  first_ = read_first_frames(file_, shape[0]);
  const Index utterance_count = static_cast<Index>(first_.size()) - 1;
  check_length(file_, split_path, utterance_count, "utterance");
  splits_ = levels_of(file_, split_path);
  split_ = read_codes(split_path, {0, utterance_count}, static_cast<Index>(splits_.size()));
  for (const std::string& factor : add_factors("/utterances/factors")) {
    check_length(file_, factor, utterance_count, "utterance");
    const auto levels = static_cast<Index>(factors_[utterance_codes_.size()].levels.size());
    utterance_codes_.push_back(read_codes(factor, {0, utterance_count}, levels));
  }
  frame_factors_ = add_factors("/frames/factors");
  for (const std::string& factor : frame_factors_) check_length(file_, factor, shape[0], "frame");
}

/// Appends the factors of a group, where it is there, to the list; returns their paths.
std::vector<std::string> FramesFile::add_factors(const std::string& group) {
  std::vector<std::string> paths;
  if (!file_.exists(group)) return paths;
  for (const std::string& name : file_.children(group)) {
    const auto same = [&](const FrameFactor& known) { return known.name == name; };
    paths.push_back(group + "/" + name);
    if (name == "class" || std::any_of(factors_.begin(), factors_.end(), same)) {
      throw InputError("{}: {}: there is another factor '{}', expected a name of its own", file_.path(),
                       paths.back(), name);
    }
    factors_.push_back({name, levels_of(file_, paths.back())});
  }
  return paths;
}

std::vector<std::int32_t> FramesFile::read_codes(const std::string& path, hdf5::Rows rows,
                                                 Index levels) const {
  const auto stored = file_.read_slab<std::int64_t>(path, rows);
  const auto bad = std::find_if(stored.begin(), stored.end(),
                                [&](std::int64_t code) { return code < 0 || code >= levels; });
  if (bad != stored.end()) {
    throw InputError("{}: {}: value {} is {}, allowed are 0 to {}", file_.path(), path,
                     rows.first + (bad - stored.begin()), *bad, levels - 1);
  }
  std::vector<std::int32_t> codes(stored.size());
  std::transform(stored.begin(), stored.end(), codes.begin(),
                 [](std::int64_t code) { return static_cast<std::int32_t>(code); });
  return codes;
}

std::vector<Index> FramesFile::utterances(std::string_view split) const {
  const auto found = std::find(splits_.begin(), splits_.end(), split);
  if (found == splits_.end()) {
    throw InputError("{}: {}: there is no split '{}'; known: {}", file_.path(), split_path, split,
                     fmt::join(splits_, ", "));
  }
  std::vector<Index> members;
  for (std::size_t u = 0; u < split_.size(); ++u) {
    if (split_[u] == found - splits_.begin()) members.push_back(static_cast<Index>(u));
  }
  if (members.empty()) {
    throw InputError("{}: {}: no utterance is in split '{}', expected at least one", file_.path(), split_path,
                     split);
  }
  return members;
}

Frames FramesFile::read(std::span<const Index> utterances) const {
  Frames frames;
  frames.factors.resize(factors_.size());
  frames.first.push_back(0);
  for (const Index u : utterances) {
    for (std::size_t f = 0; f < utterance_codes_.size(); ++f) {
      frames.factors[f].resize(frames.factors[f].size() + size(length(u)), utterance_codes_[f][size(u)]);
    }
    frames.first.push_back(frames.first.back() + length(u));
  }
  frames.features.resize(size(frames.first.back() * feature_count_));
  // Utterances that stand together are read together: each reading opens the dataset and its chunks anew.
  for (std::size_t begin = 0; begin < utterances.size();) {
    std::size_t end = begin + 1;
    while (end < utterances.size() && utterances[end] == utterances[end - 1] + 1) ++end;
    const Index first = first_[size(utterances[begin])];
    read_rows({first, first_[size(utterances[end - 1]) + 1] - first}, frames);
    begin = end;
  }
  return frames;
}

/// (F, K) features of frames that stand together.
template <class Stored>
void FramesFile::read_features(hdf5::Rows rows, std::span<float> features) const {
  std::vector<Stored> room;  // of other numbers than those that are kept
  std::span<Stored> stored;
  if constexpr (std::is_same_v<Stored, float>) {
    stored = features;
  } else {
    room.resize(features.size());
    stored = room;
  }
  file_.read_slab<Stored>(features_path, rows, stored);
  const auto bad = std::find_if(stored.begin(), stored.end(),
                                [](Stored value) { return !std::isfinite(static_cast<float>(value)); });
  if (bad != stored.end()) {
    const Index at = bad - stored.begin();
    throw InputError("{}: {}: feature {} of frame {} is {}, expected a finite float32", file_.path(),
                     features_path, at % feature_count_, rows.first + at / feature_count_, *bad);
  }
  if constexpr (!std::is_same_v<Stored, float>)
    std::ranges::transform(stored, features.begin(), [](Stored value) { return static_cast<float>(value); });
}

/// Adds features, labels and factors of frames that stand together.
void FramesFile::read_rows(hdf5::Rows rows, Frames& frames) const {
  const auto features =
      std::span(frames.features)
          .subspan(size(frames.count() * feature_count_), size(rows.count * feature_count_));
  if (rounds_features_) {
    read_features<double>(rows, features);
  } else {
    read_features<float>(rows, features);
  }
  const auto append = [](auto& to, const auto& values) { to.insert(to.end(), values.begin(), values.end()); };
  append(frames.labels, read_codes(labels_path, rows, static_cast<Index>(classes_.size())));
  for (std::size_t f = 0; f < frame_factors_.size(); ++f) {
    const std::size_t factor = utterance_codes_.size() + f;
    const auto levels = static_cast<Index>(factors_[factor].levels.size());
    append(frames.factors[factor], read_codes(frame_factors_[f], rows, levels));
  }
}

}  // namespace dmoe::data
