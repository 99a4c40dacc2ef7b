#include "data/statistics.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace dmoe::data {
namespace {

constexpr Index most_examples = 2'000;
constexpr double most_scales = 1e3;        // largest deviation by smallest
constexpr double most_magnitude = 1e3;     // of a value
constexpr double most_displacement = 100;  // of a mean from 0, in deviations

struct Feature {
  Index number = 0;
  double mean = 0;
  double deviation = 0;
  double magnitude = 0;  // largest
};

/// Of the first K columns: what stands behind them in an input are the same features of neighbours.
std::vector<Feature> features_of(const Dataset& dataset) {
  const Index count = std::min(dataset.example_count(Split::train), most_examples);
  std::vector<Index> examples;
  for (Index i = 0; i < count; ++i) examples.push_back(i * dataset.example_count(Split::train) / count);
  Batch batch(count, dataset.input_width(), dataset.factors().size());
  dataset.present(Split::train, examples, {Purpose::train_transform, 0}, batch);
  std::vector<Feature> features(size(dataset.example_shape().front()));
  for (std::size_t k = 0; k < features.size(); ++k) {
    Feature& feature = features[k];
    feature.number = static_cast<Index>(k);
    for (Index r = 0; r < count; ++r) {
      const double value = batch.inputs().row(r)[k];
      feature.mean += value / static_cast<double>(count);
      feature.magnitude = std::max(feature.magnitude, std::abs(value));
    }
    double squares = 0;
    for (Index r = 0; r < count; ++r) squares += std::pow(batch.inputs().row(r)[k] - feature.mean, 2);
    feature.deviation = std::sqrt(squares / static_cast<double>(count));
  }
  return features;
}

/// Up to rounding.
bool is_constant(const Feature& feature) {
  return feature.deviation <= 1e-6 * feature.magnitude;
}

}  // namespace

std::string unusual_features(const Dataset& dataset) {
  if (dataset.example_shape().size() != 1 || dataset.example_count(Split::train) < 2) return "";
  std::vector<Feature> features = features_of(dataset);
  std::vector<std::string> found;
  const auto varying = std::ranges::partition(features, is_constant).begin();
  if (const auto constants = varying - features.begin(); constants > 0)
    found.push_back(fmt::format("{} of {} features {} constant (feature {}: {:.4g})", constants,
                                features.size(), constants == 1 ? "is" : "are", features.front().number,
                                features.front().mean));
  const std::ranges::subrange others(varying, features.end());
  if (!others.empty()) {
    const auto [least, most] = std::ranges::minmax(others, {}, &Feature::deviation);
    if (most.deviation > most_scales * least.deviation)
      found.push_back(
          fmt::format("deviations differ in scale, from {:.2g} (feature {}) to {:.2g} (feature {})",
                      least.deviation, least.number, most.deviation, most.number));
    const Feature displaced =
        std::ranges::max(others, {}, [](const Feature& f) { return std::abs(f.mean) / f.deviation; });
    if (std::abs(displaced.mean) > most_displacement * displaced.deviation)
      found.push_back(fmt::format("feature {} has mean {:.4g} and deviation {:.2g}", displaced.number,
                                  displaced.mean, displaced.deviation));
  }
  const Feature& largest = *std::ranges::max_element(features, {}, &Feature::magnitude);
  if (largest.magnitude > most_magnitude)
    found.push_back(fmt::format("feature {} reaches {:.2g}", largest.number, largest.magnitude));
  if (found.empty()) return "";
  return fmt::format(
      "the features are not normalised, and training wants means of about 0 and deviations of about "
      "1: {}",
      fmt::join(found, "; "));
}

}  // namespace dmoe::data
