#include "analysis/mutual_information.hpp"

#include <cmath>
#include <vector>

#include <gtest/gtest.h>

namespace dmoe::analysis {
namespace {

/// joint (N, F) of an expert and a factor that know nothing of each other.
std::vector<double> independent(const std::vector<double>& experts, const std::vector<double>& levels) {
  std::vector<double> joint;
  for (const double e : experts) {
    for (const double f : levels) joint.push_back(e * f);
  }
  return joint;
}

TEST(MutualInformation, is_zero_where_independent) {
  const Information found = mutual_information(independent({0.1, 0.2, 0.7}, {3, 5, 0, 11}), 3);
  EXPECT_NEAR(found.nats, 0, 1e-15);
  EXPECT_NEAR(found.normalized, 0, 1e-15);
  EXPECT_GE(found.nats, 0);
}

TEST(MutualInformation, is_log_n_where_each_level_has_its_expert) {
  // 3 experts, 6 equally frequent levels, level f belongs to expert f mod 3.
  std::vector<double> joint(18, 0.0);
  for (std::size_t f = 0; f < 6; ++f) joint[f % 3 * 6 + f] = 50;
  const Information found = mutual_information(joint, 3);
  EXPECT_NEAR(found.nats, std::log(3.0), 1e-14);
  EXPECT_NEAR(found.normalized, 1, 1e-14);
}

TEST(MutualInformation, of_a_noisy_pair_is_its_channel_capacity) {
  // A binary symmetric channel with error 1/4: log 2 - h(1/4).
  const Information found = mutual_information(std::vector<double>{3, 1, 1, 3}, 2);
  const double entropy = -0.25 * std::log(0.25) - 0.75 * std::log(0.75);
  EXPECT_NEAR(found.nats, std::log(2.0) - entropy, 1e-15);
  EXPECT_NEAR(found.normalized, found.nats / std::log(2.0), 1e-15);
}

TEST(MutualInformation, does_not_depend_on_the_scale_of_the_weights) {
  const std::vector<double> joint{3, 1, 2, 3, 0, 7};
  std::vector<double> scaled = joint;
  for (double& weight : scaled) weight *= 1.0 / 1024;
  EXPECT_EQ(mutual_information(joint, 2), mutual_information(scaled, 2));
}

TEST(MutualInformation, of_one_expert_is_zero) {
  EXPECT_EQ(mutual_information(std::vector<double>{3, 1, 2}, 1), Information{});
}

TEST(MutualInformation, of_no_examples_is_zero) {
  EXPECT_EQ(mutual_information(std::vector<double>(6, 0.0), 2), Information{});
}

TEST(Entropy, is_log_n_of_equals_and_0_of_a_sure_choice) {
  const Information equal = entropy(std::vector<double>{3, 3, 3, 3}, 4);
  EXPECT_NEAR(equal.nats, std::log(4.0), 1e-15);
  EXPECT_NEAR(equal.normalized, 1, 1e-15);
  EXPECT_EQ(entropy(std::vector<double>{0, 5, 0}, 3).nats, 0);
  EXPECT_EQ(entropy(std::vector<double>{0, 1, 0, 3}, 4), entropy(std::vector<double>{1, 3}, 4));
  EXPECT_NEAR(entropy(std::vector<double>{1, 3}, 2).nats, 0.25 * std::log(4.0) + 0.75 * std::log(4.0 / 3),
              1e-15);
}

}  // namespace
}  // namespace dmoe::analysis
