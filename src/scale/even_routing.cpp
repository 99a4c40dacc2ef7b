#include "scale/even_routing.hpp"

#include <algorithm>
#include <cmath>

namespace dmoe::scale {

double share_of_rows(Index experts, Index chosen, Index of) {
  double none = 1;  // of the k choices, one after the other, is among them
  for (Index j = 0; j < chosen && none > 0; ++j)
    none *= std::max(0.0, static_cast<double>(experts - of - j) / static_cast<double>(experts - j));
  return 1 - none;
}

double busiest_choices(Index rows, Index chosen, Index own, Index experts, Index ranks) {
  const auto trials = static_cast<double>(rows * chosen);
  const double probability = static_cast<double>(own) / static_cast<double>(experts);
  const auto most = static_cast<double>(rows * std::min(chosen, own));
  if (own == 0) return 0;
  if (own >= experts) return std::min(trials, most);
  const double mean = trials * probability;
  const double deviation = std::sqrt(mean * (1 - probability));
  const double median = std::pow(0.5, 1 / static_cast<double>(ranks));  // of one, for that of the largest
  // From so far below the mean that what is left out does not count.
  double count = std::max(0.0, std::floor(mean - 12 * deviation - 12));
  double density =
      std::exp(std::lgamma(trials + 1) - std::lgamma(count + 1) - std::lgamma(trials - count + 1) +
               count * std::log(probability) + (trials - count) * std::log1p(-probability));
  for (double sum = density; sum < median && count < most; sum += density) {
    density *= (trials - count) / (count + 1) * probability / (1 - probability);
    ++count;
  }
  return std::min(count, most);
}

double block_rows(const exchange::Topology& topology, Index rank, Index rows, Index chosen) {
  double sum = 0;
  for (const model::TreeBlock& block : topology.blocks(rank)) {
    const Index width = std::min(block.width, topology.experts() - block.first);
    sum += static_cast<double>(rows) * share_of_rows(topology.experts(), chosen, width);
  }
  return sum;
}

}  // namespace dmoe::scale
