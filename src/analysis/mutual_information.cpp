#include "analysis/mutual_information.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

namespace dmoe::analysis {

Information mutual_information(std::span<const double> joint, Index experts) {
  const std::size_t levels = joint.size() / size(experts);
  const double total = std::accumulate(joint.begin(), joint.end(), 0.0);
  std::vector<double> of_expert(size(experts), 0.0);
  std::vector<double> of_level(levels, 0.0);
  for (std::size_t i = 0; i < joint.size(); ++i) {
    of_expert[i / levels] += joint[i];
    of_level[i % levels] += joint[i];
  }
  Information result;
  for (std::size_t i = 0; i < joint.size(); ++i) {
    if (joint[i] == 0) continue;
    result.nats +=
        joint[i] / total * std::log(joint[i] * total / (of_expert[i / levels] * of_level[i % levels]));
  }
  result.nats = std::max(result.nats, 0.0);  // rounding may leave an independent pair just below
  if (experts > 1) result.normalized = result.nats / std::log(static_cast<double>(experts));
  return result;
}

}  // namespace dmoe::analysis
