#include "model/parameters.hpp"

#include <cmath>

#include "core/random.hpp"
#include "core/simulation.hpp"

namespace dmoe::model {

void initialise(std::uint64_t seed, Index layer, TensorRole role, Index expert, MatrixView weights) {
  if constexpr (simulation::is_on) return;  // takes no time in a step
  const std::uint64_t index = (static_cast<std::uint64_t>(layer) << 40U) +
                              (static_cast<std::uint64_t>(role) << 32U) + static_cast<std::uint64_t>(expert);
  RandomStream stream(seed, Purpose::initialisation, index);
  const float bound = 1.0F / std::sqrt(static_cast<float>(weights.columns));
  for (float& weight : weights.values()) weight = stream.uniform(-bound, bound);
}

}  // namespace dmoe::model
