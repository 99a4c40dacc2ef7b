#include "core/random.hpp"

#include <cassert>
#include <cmath>
#include <numbers>
#include <numeric>
#include <utility>

#include <Random123/philox.h>

namespace dmoe {

RandomStream::RandomStream(std::uint64_t seed, Purpose purpose, std::uint64_t index)
    : key_{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32U)},
      counter_{0, static_cast<std::uint32_t>(purpose), static_cast<std::uint32_t>(index),
               static_cast<std::uint32_t>(index >> 32U)} {}

void RandomStream::refill() {
  const r123::Philox4x32::ctr_type counter{{counter_[0], counter_[1], counter_[2], counter_[3]}};
  const r123::Philox4x32::key_type key{{key_[0], key_[1]}};
  const auto block = r123::Philox4x32{}(counter, key);
  for (std::size_t i = 0; i < block_.size(); ++i) block_[i] = block[i];
  ++counter_[0];
  used_ = 0;
}

Index RandomStream::below(Index bound) {
  assert(bound >= 1 && bound < (Index{1} << 32));
  const auto n = static_cast<std::uint32_t>(bound);
  std::uint64_t product = std::uint64_t{word()} * n;
  if (static_cast<std::uint32_t>(product) < n) {
    const std::uint32_t threshold = (0U - n) % n;
    while (static_cast<std::uint32_t>(product) < threshold) product = std::uint64_t{word()} * n;
  }
  return static_cast<Index>(product >> 32U);
}

float RandomStream::normal() {
  const float radius = std::sqrt(-2 * std::log(1 - uniform()));  // 1 - uniform() is never 0
  return radius * std::cos(2 * std::numbers::pi_v<float> * uniform());
}

void shuffled(Index count, RandomStream stream, std::vector<Index>& order) {
  order.resize(size(count));
  std::iota(order.begin(), order.end(), Index{0});
  for (Index i = count - 1; i > 0; --i) std::swap(order[size(i)], order[size(stream.below(i + 1))]);
}

}  // namespace dmoe
