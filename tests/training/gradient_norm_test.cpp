#include "training/gradient_norm.hpp"

#include <cmath>

#include <gtest/gtest.h>

#include "distribution/sample_network.hpp"
#include "support/world.hpp"

namespace dmoe::training {
namespace {

using test::world;

/// Every element of every tensor has a gradient of its own, whoever holds it.
void set_gradients(distribution::Network& network) {
  std::uint64_t tensor = 0;
  network.for_each_parameter([&](const model::Parameter& parameter) {
    RandomStream stream(1, Purpose::test, ++tensor);
    const auto before = size(parameter.first * test::block_size(parameter));
    for (std::size_t i = 0; i < before; ++i) stream.uniform();
    for (float& gradient : parameter.gradient) gradient = stream.uniform(-1, 1);
  });
}

TEST(GradientNorm, is_that_of_all_tensors_and_has_the_bits_of_one_rank) {
  const model::NetworkSpec spec{6, 3, {{7, 5, 4}, {5, 3, 2}}};
  distribution::Network network(spec, world(), 1, 4);
  const comm::Communicator alone = comm::Communicator::local();
  distribution::Network whole(spec, alone, 1, 4);
  set_gradients(network);
  set_gradients(whole);
  double squares = 0;
  whole.for_each_parameter([&](const model::Parameter& parameter) {
    for (const float gradient : parameter.gradient) squares += std::pow(static_cast<double>(gradient), 2);
  });
  GradientNorm norm(network);
  const double found = norm();
  EXPECT_NEAR(found, std::sqrt(squares), 1e-9 * found);
  EXPECT_EQ(found, GradientNorm(whole)());
  EXPECT_EQ(found, norm());
}

}  // namespace
}  // namespace dmoe::training
