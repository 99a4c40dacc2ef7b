#include "training/optimizer.hpp"

#include <cmath>
#include <utility>
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

/// A gradient put where no row was is one that nobody looks at, but where weights decay or have momentum.
TEST(Sgd, leaves_experts_without_rows_alone) {
  const comm::Communicator alone = comm::Communicator::local();
  const model::NetworkSpec one_layer{6, 3, {{5, 4, 3}}};
  for (const auto& [momentum, weight_decay] :
       {std::pair{0.0, 0.0}, std::pair{0.0, 0.1}, std::pair{0.5, 0.0}}) {
    distribution::Network network(one_layer, alone, 0, 1);
    const model::TopK one(1, model::GateValue::probability);
    network.route(0, one);
    Sgd sgd(network, momentum, weight_decay);
    const Matrix x = test::random_matrix(1, 6, 1);
    network.forward(x.view(), network.no_masks());
    network.backward(x.view(), test::round_robin_labels(1, 3));
    Index resting = 0;
    std::vector<std::vector<float>> before;
    network.for_each_parameter([&](const model::Parameter& parameter) {
      before.emplace_back(parameter.values.begin(), parameter.values.end());
      ASSERT_EQ(parameter.has_gradient.size(), parameter.is_sharded() ? 5U : 0U) << parameter.name;
      const std::size_t block = size(test::block_size(parameter));
      for (std::size_t i = 0; i < parameter.has_gradient.size(); ++i) {
        if (parameter.has_gradient[i] != 0) continue;
        ++resting;
        for (float& value : parameter.gradient.subspan(i * block, block)) {
          EXPECT_EQ(value, 0.0F);
          value = 1.0F;
        }
      }
    });
    EXPECT_EQ(resting, 2 * 4);  // weights and biases of all experts but one
    sgd.step(0.5);
    std::size_t tensor = 0;
    network.for_each_parameter([&](const model::Parameter& parameter) {
      const std::vector<float>& old = before[tensor++];
      const std::size_t block = size(test::block_size(parameter));
      for (std::size_t i = 0; i < parameter.has_gradient.size(); ++i) {
        if (parameter.has_gradient[i] != 0) continue;
        const bool is_unchanged = parameter.values[i * block] == old[i * block];
        EXPECT_EQ(is_unchanged, momentum == 0 && weight_decay == 0) << parameter.name;
      }
    });
  }
}

}  // namespace
}  // namespace dmoe::training
