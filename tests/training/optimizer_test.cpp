#include "training/optimizer.hpp"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "distribution/sample_network.hpp"

namespace dmoe::training {
namespace {

const model::NetworkSpec spec{6, 3, {{5, 4, 3}, {3, 7, 2}}};

/// Values of every tensor of a network.
std::vector<std::vector<float>> weights_of(distribution::Network& network) {
  std::vector<std::vector<float>> all;
  network.for_each_parameter([&](const model::Parameter& parameter) {
    all.emplace_back(parameter.values.begin(), parameter.values.end());
  });
  return all;
}

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
    sgd.step(Rates(rate));
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
  const std::vector<std::vector<float>> before = weights_of(network);
  network.for_each_parameter([](const model::Parameter& parameter) {
    for (float& value : parameter.gradient) value = 1.0F;
  });
  Sgd(network, 0.5, 0.1).step(Rates(0));
  EXPECT_EQ(before, weights_of(network));
}

/// Of a mixture, a concatenated layer and a dense one the experts of the first alone have a rate of their
/// own.
TEST(Sgd, moves_gated_experts_at_their_own_rate) {
  const comm::Communicator alone = comm::Communicator::local();
  distribution::Network network(
      {6, 3, {{5, 4, 3}, {3, 7, 0, model::LayerKind::concatenated}, {1, 4, 0, model::LayerKind::dense}}},
      alone, 0, 4);
  test::set_random_weights(network, 0, 0.5F);
  const std::vector<std::vector<float>> before = weights_of(network);
  network.for_each_parameter([](const model::Parameter& parameter) {
    for (float& value : parameter.gradient) value = 1.0F;
  });
  Sgd(network, 0, 0).step(Rates(0.125, 0.5));
  std::size_t tensor = 0;
  network.for_each_parameter([&](const model::Parameter& parameter) {
    const std::vector<float>& old = before[tensor++];
    const float rate = parameter.name.starts_with("layers/1/experts/") ? 0.5F : 0.125F;
    for (std::size_t i = 0; i < old.size(); ++i)
      EXPECT_EQ(parameter.values[i], old[i] - rate) << parameter.name;
  });
}

const model::NetworkSpec one_layer{6, 3, {{5, 4, 3}}};

/// Visits the parts of each expert without rows: tensor, first value, values.
template <class Visit>
void for_each_resting(distribution::Network& network, Visit visit) {
  std::size_t tensor = 0;
  network.for_each_parameter([&](const model::Parameter& parameter) {
    const std::size_t block = size(test::block_size(parameter));
    for (std::size_t i = 0; parameter.activity != nullptr && i < size(parameter.count); ++i)
      if (parameter.activity->has_gradient[i] == 0) visit(tensor, parameter, i * block, block);
    ++tensor;
  });
}

/// One row through the network and back.
void pass(distribution::Network& network, std::uint64_t example) {
  const Matrix x = test::random_matrix(1, 6, example);
  network.forward(x.view(), network.no_masks());
  network.backward(x.view(), test::round_robin_labels(1, 3));
}

/// A gradient put where no row was is one that nobody looks at.
TEST(Sgd, leaves_experts_without_rows_alone) {
  const comm::Communicator alone = comm::Communicator::local();
  const model::TopK one(1, model::GateValue::probability);
  for (const auto& [momentum, weight_decay] :
       {std::pair{0.0, 0.0}, std::pair{0.0, 0.1}, std::pair{0.5, 0.0}}) {
    distribution::Network network(one_layer, alone, 0, 1);
    network.mixture(0)->route(one);
    Sgd sgd(network, momentum, weight_decay);
    pass(network, 1);
    const std::vector<std::vector<float>> before = weights_of(network);
    Index resting = 0;
    for_each_resting(
        network, [&](std::size_t, const model::Parameter& parameter, std::size_t first, std::size_t count) {
          ++resting;
          for (float& value : parameter.gradient.subspan(first, count)) {
            EXPECT_EQ(value, 0.0F);
            value = 1.0F;
          }
        });
    EXPECT_EQ(resting, 2 * 4);  // weights and biases of all experts but one
    sgd.step(Rates(0.5));
    const auto expect_unchanged = [&](bool expected) {
      for_each_resting(network, [&](std::size_t tensor, const model::Parameter& parameter, std::size_t first,
                                    std::size_t) {
        const bool is_bias = parameter.name.ends_with("bias");  // 0 at the start
        EXPECT_EQ(parameter.values[first] == before[tensor][first], expected || is_bias) << parameter.name;
      });
    };
    expect_unchanged(true);
    sgd.catch_up();
    expect_unchanged(weight_decay == 0);
  }
}

/// The formula in the header, of one float at a time, over all experts in every step.
struct EagerSgd {
  float momentum;
  float weight_decay;
  std::vector<std::vector<float>> weights;
  std::vector<std::vector<float>> velocities;

  EagerSgd(distribution::Network& network, float momentum_, float weight_decay_)
      : momentum(momentum_), weight_decay(weight_decay_), weights(weights_of(network)), velocities(weights) {
    for (auto& velocity : velocities) std::ranges::fill(velocity, 0.0F);
  }
  void step(distribution::Network& network, float rate, float scale) {
    std::size_t tensor = 0;
    network.for_each_parameter([&](const model::Parameter& parameter) {
      std::vector<float>& w = weights[tensor];
      std::vector<float>& v = velocities[tensor++];
      for (std::size_t i = 0; i < w.size(); ++i) {
        v[i] = momentum * v[i] + (scale * parameter.gradient[i] + weight_decay * w[i]);
        w[i] -= rate * v[i];
      }
    });
  }
};

/// Experts that had rows stood where the eager optimiser has them.
void expect_up_to_date(distribution::Network& network, const std::vector<std::vector<float>>& expected) {
  std::size_t tensor = 0;
  network.for_each_parameter([&](const model::Parameter& parameter) {
    const std::vector<float>& all = expected[tensor++];
    const std::size_t block = size(test::block_size(parameter));
    for (std::size_t i = 0; i < all.size(); ++i) {
      const bool rests = parameter.activity != nullptr && parameter.activity->has_gradient[i / block] == 0;
      EXPECT_TRUE(rests || parameter.values[i] == all[i]) << parameter.name;
    }
  });
}

/// Passes of one row, of which a few experts get all: others are behind for long.
void expect_eager_bits(double momentum, double weight_decay, std::uint64_t steps) {
  const comm::Communicator alone = comm::Communicator::local();
  const model::TopK one(1, model::GateValue::probability);
  distribution::Network network(one_layer, alone, 0, 1);
  network.mixture(0)->route(one);
  test::set_random_weights(network, 0, 0.5F);
  EagerSgd eager(network, static_cast<float>(momentum), static_cast<float>(weight_decay));
  Index resting = 0;
  {
    Sgd sgd(network, momentum, weight_decay);
    for (std::uint64_t step = 0; step < steps; ++step) {
      pass(network, step % 7);
      for_each_resting(network, [&](auto&&...) { ++resting; });
      expect_up_to_date(network, eager.weights);
      const double rate = 0.1 / static_cast<double>(1 + step / 10);
      sgd.step(Rates(rate), 0.75F);
      eager.step(network, static_cast<float>(rate), 0.75F);
      if (step == steps / 2) {  // looking changes nothing
        std::size_t tensor = 0;
        sgd.for_each_velocity([&](const model::Parameter& velocity) {
          EXPECT_TRUE(std::ranges::equal(velocity.values, eager.velocities[tensor++])) << velocity.name;
        });
        sgd.catch_up();
        EXPECT_EQ(weights_of(network), eager.weights);
      }
    }
  }
  EXPECT_GT(resting, 0);
  EXPECT_EQ(weights_of(network), eager.weights) << "once the optimiser is gone";
  pass(network, 0);  // and nobody is told of its experts any more
}

TEST(Sgd, has_the_bits_of_one_that_never_skips) {
  expect_eager_bits(0, 0, 50);
  expect_eager_bits(0, 0.01, 50);
  expect_eager_bits(0.9, 0, 50);
  expect_eager_bits(0.9, 0.01, 50);
}
TEST(Sgd, has_them_where_a_velocity_dies_out) {
  expect_eager_bits(0.5, 0, 2000);
  expect_eager_bits(0.9, 0, 2000);
}

TEST(RateHistory, tells_the_rates_since_a_step) {
  RateHistory rates;
  for (const float rate : {0.3F, 0.3F, 0.2F, 0.3F, 0.3F}) rates.add(rate);
  EXPECT_EQ(rates.steps(), 5);
  using Rates = std::vector<std::pair<float, Index>>;
  const auto since = [&](Index first) {
    Rates told;
    rates.for_each_since(first, [&](float rate, Index steps) { told.emplace_back(rate, steps); });
    return told;
  };
  EXPECT_EQ(since(0), (Rates{{0.3F, 2}, {0.2F, 1}, {0.3F, 2}}));
  EXPECT_EQ(since(1), (Rates{{0.3F, 1}, {0.2F, 1}, {0.3F, 2}}));
  EXPECT_EQ(since(2), (Rates{{0.2F, 1}, {0.3F, 2}}));
  EXPECT_EQ(since(4), (Rates{{0.3F, 1}}));
  EXPECT_EQ(since(5), Rates{});
  rates.forget();
  EXPECT_EQ(rates.steps(), 0);
  EXPECT_EQ(since(0), Rates{});
}

}  // namespace
}  // namespace dmoe::training
