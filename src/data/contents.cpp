#include "data/contents.hpp"

#include <algorithm>
#include <span>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "data/checksum.hpp"

namespace dmoe::data {
namespace {

SplitContents contents_of_split(const Dataset& dataset, Split split) {
  SplitContents result;
  const std::vector<std::int32_t> labels = dataset.labels(split);
  result.examples = dataset.example_count(split);
  result.class_counts.resize(size(dataset.class_count()));
  for (const std::int32_t label : labels) ++result.class_counts[size(label)];
  Checksum checksum;
  checksum.add(std::span(labels));
  result.labels = checksum.text();
  result.inputs = dataset.inputs_checksum(split);
  return result;
}

std::string difference_of_split(const std::string& name, const SplitContents& before,
                                const SplitContents& now) {
  if (before.examples != now.examples)
    return fmt::format("{} examples: {}, were {}", name, now.examples, before.examples);
  if (before.inputs != now.inputs)
    return fmt::format("the inputs of the {} examples are others{}", name,
                       before.labels == now.labels ? "" : ", and so are their labels");
  if (before.labels != now.labels) return fmt::format("the labels of the {} examples are others", name);
  return "";
}

/// "class 3", "class 3 (\"aa\")"
std::string class_name(const Contents& contents, std::size_t c) {
  for (const LevelNames& factor : contents.names)
    if (factor.factor == "class") return fmt::format("{} (\"{}\")", c, factor.levels[c]);
  return fmt::format("{}", c);
}

}  // namespace

Contents contents_of(const Dataset& dataset, const std::vector<Split>& splits) {
  Contents result;
  result.example_shape = dataset.example_shape();
  result.classes = dataset.class_count();
  for (const Factor& factor : dataset.factors())
    if (!factor.names.empty()) result.names.push_back({factor.name, factor.names});
  for (const Split split : splits)
    if (dataset.example_count(split) > 0) result.of(split) = contents_of_split(dataset, split);
  return result;
}

std::vector<std::string> differences(const Contents& before, const Contents& now) {
  std::vector<std::string> found;
  const bool is_known = !before.example_shape.empty() && !now.example_shape.empty();
  if (is_known && before.example_shape != now.example_shape)
    found.push_back(fmt::format("examples of {}, were of {}", fmt::join(now.example_shape, "x"),
                                fmt::join(before.example_shape, "x")));
  if (is_known && before.classes != now.classes)
    found.push_back(fmt::format("{} classes, were {}", now.classes, before.classes));
  for (const Split split : {Split::train, Split::validation, Split::test}) {
    if (!now.of(split) || (!before.of(split) && !is_known)) continue;  // not asked for, or not known
    const std::string text =
        difference_of_split(split_name(split), before.of(split).value_or(SplitContents{}), *now.of(split));
    if (!text.empty()) found.push_back(text);
  }
  return found;
}

std::string classes_not_trained(const Contents& contents) {
  const std::optional<SplitContents>& train = contents.of(Split::train);
  if (!train) return "";
  std::vector<std::string> missing;
  Index tested = 0;  // examples of them that are tested on
  for (std::size_t c = 0; c < train->class_counts.size(); ++c) {
    if (train->class_counts[c] > 0) continue;
    missing.push_back(class_name(contents, c));
    if (contents.of(Split::test)) tested += contents.of(Split::test)->class_counts[c];
  }
  if (missing.empty()) return "";
  constexpr std::size_t most_listed = 8;
  const std::size_t listed = std::min(missing.size(), most_listed);
  const std::string others =
      missing.size() > listed ? fmt::format(" and {} more", missing.size() - listed) : std::string();
  return fmt::format("no training example is of class{} {}{}; of the test set, {} {}",
                     missing.size() == 1 ? "" : "es", fmt::join(std::span(missing).first(listed), ", "),
                     others, tested == 0 ? "none" : fmt::format("{}", tested), tested == 1 ? "is" : "are");
}

}  // namespace dmoe::data
