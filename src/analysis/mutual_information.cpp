#include "analysis/mutual_information.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

namespace dmoe::analysis {

namespace {

/// Rounding may leave what is 0 just below.
Information information(double nats, Index experts) {
  const double found = std::max(nats, 0.0);
  return {found, experts > 1 ? found / std::log(static_cast<double>(experts)) : 0.0};
}

}  // namespace

Information mutual_information(std::span<const double> joint, Index experts) {
  const std::size_t levels = joint.size() / size(experts);
  const double total = std::accumulate(joint.begin(), joint.end(), 0.0);
  std::vector<double> of_expert(size(experts), 0.0);
  std::vector<double> of_level(levels, 0.0);
  for (std::size_t i = 0; i < joint.size(); ++i) {
    of_expert[i / levels] += joint[i];
    of_level[i % levels] += joint[i];
  }
  double nats = 0;
  for (std::size_t i = 0; i < joint.size(); ++i) {
    if (joint[i] == 0) continue;
    nats += joint[i] / total * std::log(joint[i] * total / (of_expert[i / levels] * of_level[i % levels]));
  }
  return information(nats, experts);
}

Information entropy(std::span<const double> weights, Index experts) {
  const double total = std::accumulate(weights.begin(), weights.end(), 0.0);
  double nats = 0;
  for (const double weight : weights) {
    if (weight > 0) nats -= weight / total * std::log(weight / total);
  }
  return information(nats, experts);
}

}  // namespace dmoe::analysis
