#include "data/frames_dataset.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

#include <fmt/ranges.h>

#include "core/random.hpp"
#include "core/settings.hpp"
#include "data/checksum.hpp"

namespace dmoe::data {
namespace {

/// Frames t - context .. t + context of (F, K) features into `out`; those outside [begin, end) are the
/// nearest inside.
void stack(std::span<const float> features, Index begin, Index end, Index t, Index context,
           std::span<float> out) {
  const Index width = static_cast<Index>(out.size()) / (2 * context + 1);
  for (Index offset = -context; offset <= context; ++offset) {
    const Index from = std::clamp(t + offset, begin, end - 1);
    std::copy_n(features.begin() + from * width, width, out.begin() + (offset + context) * width);
  }
}

}  // namespace

FramesDataset::FramesDataset(FramesFile file, FramesOptions options)
    : file_(std::move(file)),
      options_(std::move(options)),
      factors_{{"class", {static_cast<Index>(file_.classes().size())}, {"class"}, file_.classes()}} {
  for (const FrameFactor& factor : file_.factors()) {
    factors_.push_back(
        {factor.name, {static_cast<Index>(factor.levels.size())}, {factor.name}, factor.levels});
  }
  const std::vector<std::string>& splits = file_.splits();
  if (std::find(splits.begin(), splits.end(), options_.test) == splits.end()) {
    throw SettingError("test", "must be a split of {}, one of {}; got '{}'", file_.path(),
                       fmt::join(splits, ", "), options_.test);
  }
  if (options_.test == "train") {
    throw SettingError("test", "must be a split of {} other than \"train\", which is trained on",
                       file_.path());
  }
  part(Split::train).utterances = file_.utterances("train");
  part(Split::test).utterances = file_.utterances(options_.test);
  hold_out_validation();
  for (Part& split : parts_) {
    for (const Index utterance : split.utterances) split.example_count += file_.length(utterance);
  }
}

void FramesDataset::hold_out_validation() {
  const std::vector<Index> all = std::exchange(part(Split::train).utterances, {});
  std::vector<Index> order;
  shuffled(static_cast<Index>(all.size()), RandomStream(options_.test_seed, Purpose::validation_split, 0),
           order);
  Index available = 0;  // examples that can be held out while one utterance is left
  for (std::size_t i = 0; i + 1 < all.size(); ++i) available += file_.length(all[size(order[i])]);
  if (options_.validation > available) {
    throw SettingError("validation", "must be 0 to {} (whole utterances, one of {} is left), got {}",
                       available, all.size(), options_.validation);
  }
  Index held_out = 0;
  for (const Index i : order) {
    const bool is_enough = held_out >= options_.validation;
    if (!is_enough) held_out += file_.length(all[size(i)]);
    part(is_enough ? Split::train : Split::validation).utterances.push_back(all[size(i)]);
  }
  for (Part& split : parts_) std::sort(split.utterances.begin(), split.utterances.end());
}

Index FramesDataset::example_count(Split split) const {
  return part(split).example_count;
}

std::vector<std::string> FramesDataset::remarks() const {
  if (!file_.rounds_features()) return {};
  return {fmt::format("{}: its features are float64, and are rounded to float32", file_.path())};
}

std::vector<Index> FramesDataset::groups(Split split) const {
  std::vector<Index> first;
  Index frames = 0;
  for (const Index utterance : part(split).utterances) {
    first.push_back(frames);
    frames += file_.length(utterance);
  }
  return first;
}

const Frames& FramesDataset::frames(Split split) const {
  Part& wanted = part(split);
  if (!wanted.frames) wanted.frames = file_.read(wanted.utterances);
  return *wanted.frames;
}

std::string FramesDataset::inputs_checksum(Split split) const {
  Checksum checksum;
  checksum.add(std::span(frames(split).features));
  checksum.add(std::span(frames(split).first));
  return checksum.text();
}

void FramesDataset::present(Split split, std::span<const Index> examples, Draw /*draw*/, Batch& batch) const {
  const Frames& source = frames(split);
  batch.rows = static_cast<Index>(examples.size());
  assert(batch.rows <= batch.capacity());
  const MatrixView inputs = batch.inputs();
  assert(inputs.columns == input_width());
  for (Index r = 0; r < batch.rows; ++r) {
    const Index example = examples[size(r)];
    const auto behind = std::upper_bound(source.first.begin(), source.first.end(), example);
    stack(source.features, *(behind - 1), *behind, example, options_.context, inputs.row(r));
    batch.labels()[size(r)] = source.labels[size(example)];
    batch.factor(0)[size(r)] = source.labels[size(example)];
    for (std::size_t f = 0; f < source.factors.size(); ++f) {
      batch.factor(f + 1)[size(r)] = source.factors[f][size(example)];
    }
  }
}

}  // namespace dmoe::data
