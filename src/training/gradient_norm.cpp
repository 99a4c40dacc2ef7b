#include "training/gradient_norm.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

#include "numerics/kernels.hpp"

namespace dmoe::training {

GradientNorm::GradientNorm(distribution::Network& network) : network_(network) {
  Index slots = 0;
  network.for_each_parameter([&](const model::Parameter& parameter) {
    const Index rows = parameter.shape.front();
    const Index parts = parameter.is_sharded() ? rows : 1;
    const std::size_t held = parameter.gradient.size();
    const bool is_elsewhere =
        parameter.at_home && !network.ranks().is_coordinator();  // its first copy counts
    const Index own =
        is_elsewhere ? 0 : (parameter.is_sharded() ? parameter.count : std::min<Index>(parameter.count, 1));
    for (Index i = 0; i < own; ++i) {
      const std::size_t length = held / size(own);
      own_.push_back({slots + (parameter.is_sharded() ? parameter.first : 0) + i,
                      parameter.gradient.subspan(size(i) * length, length)});
    }
    slots += parts;
  });
  sums_.resize(size(slots));
}

double GradientNorm::operator()() {
  network_.share_gradients();
  std::fill(sums_.begin(), sums_.end(), std::int64_t{0});
  for (const Part& part : own_)
    sums_[size(part.slot)] = std::bit_cast<std::int64_t>(numerics::squared_norm(part.gradient));
  network_.ranks().all_reduce(sums_);
  double sum = 0;
  for (const std::int64_t bits : sums_) sum += std::bit_cast<double>(bits);
  return std::sqrt(sum);
}

}  // namespace dmoe::training
