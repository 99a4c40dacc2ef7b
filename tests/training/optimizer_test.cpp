#include "training/optimizer.hpp"

#include <cmath>
#include <vector>

#include <gtest/gtest.h>

#include "distribution/sample_network.hpp"

namespace dmoe::training {
namespace {

const model::NetworkSpec spec{6, 3, {{5, 4, 3}, {3, 7, 2}}};

/// w and v of one tensor in double.
struct Reference {
  std::vector<double> values;
  std::vector<double> velocity;
};

/// Five steps on made-up gradients against the formula in the header.
void expect_the_formula(double momentum, double weight_decay) {
  const comm::Communicator alone = comm::Communicator::local();
  distribution::Network network(spec, alone, 0, 4);
  test::set_random_weights(network, 0, 0.5F);
  std::vector<Reference> references;
  network.for_each_parameter([&](const model::Parameter& parameter) {
    references.push_back(
        {{parameter.values.begin(), parameter.values.end()}, std::vector<double>(parameter.values.size())});
  });
  Sgd sgd(network, momentum, weight_decay);
  for (std::uint64_t step = 0; step < 5; ++step) {
    const double rate = 0.3 / static_cast<double>(step + 1);
    std::size_t tensor = 0;
    network.for_each_parameter([&](const model::Parameter& parameter) {
      RandomStream stream(1, Purpose::test, 100 * step + tensor);
      auto& [values, velocity] = references[tensor++];
      for (std::size_t i = 0; i < values.size(); ++i) {
        parameter.gradient[i] = stream.uniform(-1.0F, 1.0F);
        velocity[i] =
            momentum * velocity[i] + static_cast<double>(parameter.gradient[i]) + weight_decay * values[i];
        values[i] -= rate * velocity[i];
      }
    });
    sgd.step(rate);
  }
  std::size_t tensor = 0;
  network.for_each_parameter([&](const model::Parameter& parameter) {
    const std::vector<double>& expected = references[tensor++].values;
    for (std::size_t i = 0; i < expected.size(); ++i) ASSERT_NEAR(parameter.values[i], expected[i], 1e-6);
  });
}

TEST(Sgd, descends_plainly) {
  expect_the_formula(0, 0);
}
TEST(Sgd, keeps_momentum) {
  expect_the_formula(0.9, 0);
}
TEST(Sgd, decays_weights) {
  expect_the_formula(0, 0.1);
}
TEST(Sgd, decays_weights_with_momentum) {
  expect_the_formula(0.5, 0.1);
}

TEST(Sgd, does_not_move_at_rate_zero) {
  const comm::Communicator alone = comm::Communicator::local();
  distribution::Network network(spec, alone, 0, 4);
  std::vector<float> before;
  std::vector<float> after;
  network.for_each_parameter([&](const model::Parameter& parameter) {
    before.insert(before.end(), parameter.values.begin(), parameter.values.end());
    for (float& value : parameter.gradient) value = 1.0F;
  });
  Sgd(network, 0.5, 0.1).step(0);
  network.for_each_parameter([&](const model::Parameter& parameter) {
    after.insert(after.end(), parameter.values.begin(), parameter.values.end());
  });
  EXPECT_EQ(before, after);
}

}  // namespace
}  // namespace dmoe::training
