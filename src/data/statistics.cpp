#include "data/statistics.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace dmoe::data {
namespace {

constexpr Index most_examples = 2'000;
constexpr double most_scales = 100;       // largest deviation by smallest
constexpr double largest_deviation = 30;  // and the smallest is one by that
constexpr double most_displacement = 4;   // of a mean from 0, in deviations
constexpr double unusual_mean = 4;        // below, its displacement is that of a small deviation

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
  const auto varying = std::ranges::partition(features, is_constant).begin();
  const auto constants = varying - features.begin();
  std::string constant =
      constants == 0
          ? ""
          : fmt::format("{} of {} features {} constant (feature {}: {:.4g})", constants, features.size(),
                        constants == 1 ? "is" : "are", features.front().number, features.front().mean);
  const std::ranges::subrange others(varying, features.end());
  if (others.empty()) return constant;
  std::vector<std::string> found;
  const auto [least, most] = std::ranges::minmax(others, {}, &Feature::deviation);
  if (most.deviation > most_scales * least.deviation) {
    found.push_back(fmt::format("deviations differ in scale, from {:.2g} (feature {}) to {:.2g} (feature {})",
                                least.deviation, least.number, most.deviation, most.number));
  } else if (most.deviation > largest_deviation || least.deviation < 1 / largest_deviation) {
    found.push_back(fmt::format("deviations are {:.2g} (feature {}) to {:.2g} (feature {})", least.deviation,
                                least.number, most.deviation, most.number));
  }
  const auto displacement = [](const Feature& feature) {
    return std::abs(feature.mean) > unusual_mean ? std::abs(feature.mean) / feature.deviation : 0.0;
  };
  if (const Feature displaced = std::ranges::max(others, {}, displacement);
      displacement(displaced) > most_displacement)
    found.push_back(fmt::format("feature {} has mean {:.4g} and deviation {:.2g}", displaced.number,
                                displaced.mean, displaced.deviation));
  if (found.empty()) return constant;
  if (!constant.empty()) found.push_back(constant);
  return fmt::format(
      "the features are not normalised, and training wants means of about 0 and deviations of about 1: {}",
      fmt::join(found, "; "));
}

}  // namespace dmoe::data
