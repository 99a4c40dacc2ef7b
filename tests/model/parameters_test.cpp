#include "model/parameters.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include <gtest/gtest.h>

#include "core/random.hpp"

namespace dmoe::model {
namespace {

std::vector<float> initial(std::uint64_t seed, Index layer, TensorRole role, Index expert,
                           Index columns = 64) {
  Matrix weights(32, columns);
  initialise(seed, layer, role, expert, weights.view());
  return {weights.values().begin(), weights.values().end()};
}

TEST(Initialise, is_uniform_within_one_over_the_root_of_fan_in) {
  for (const Index columns : {1, 9, 64, 1296}) {
    const std::vector<float> values = initial(0, 1, TensorRole::expert_weight, 0, columns);
    const double bound = 1.0 / std::sqrt(static_cast<double>(columns));
    double sum = 0;
    double squares = 0;
    for (const float value : values) {
      ASSERT_LE(std::abs(static_cast<double>(value)), bound * (1 + 1e-6));
      sum += static_cast<double>(value);
      squares += static_cast<double>(value) * static_cast<double>(value);
    }
    const auto count = static_cast<double>(values.size());
    EXPECT_LT(std::abs(sum / count), 4 * bound / std::sqrt(3 * count));  // 4 standard deviations
    EXPECT_NEAR(squares / count, bound * bound / 3, 4 * bound * bound * 0.3 / std::sqrt(count));
  }
}

TEST(Initialise, draws_from_the_documented_stream) {
  constexpr std::uint64_t layer = 3;
  constexpr std::uint64_t expert = 5;
  RandomStream stream(7, Purpose::initialisation, (layer << 40U) + (std::uint64_t{2} << 32U) + expert);
  const float bound = 1.0F / std::sqrt(64.0F);
  for (const float value : initial(7, 3, TensorRole::gate_hidden_weight, 5)) {
    ASSERT_EQ(value, -bound + 2 * bound * stream.uniform());
  }
}

TEST(Initialise, differs_with_seed_layer_role_and_expert) {
  const std::vector<float> base = initial(0, 1, TensorRole::expert_weight, 0);
  EXPECT_EQ(base, initial(0, 1, TensorRole::expert_weight, 0));
  EXPECT_NE(base, initial(1, 1, TensorRole::expert_weight, 0));
  EXPECT_NE(base, initial(0, 2, TensorRole::expert_weight, 0));
  EXPECT_NE(base, initial(0, 1, TensorRole::head_weight, 0));
  EXPECT_NE(base, initial(0, 1, TensorRole::expert_weight, 1));
}

}  // namespace
}  // namespace dmoe::model
