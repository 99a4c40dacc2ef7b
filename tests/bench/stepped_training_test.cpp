#include "bench/stepped_training.hpp"

#include <gtest/gtest.h>

#include "bench/random_dataset.hpp"
#include "core/error.hpp"
#include "distribution/sample_network.hpp"
#include "distribution/traffic.hpp"
#include "support/same_bits.hpp"
#include "support/world.hpp"

namespace dmoe::bench {
namespace {

using test::world;

constexpr Index rows = 8;
const model::NetworkSpec spec{6, 3, {{5, 4, 3}, {7, 3, 2}}};

/// Every parameter of this rank, one after the other.
std::vector<float> values_of(distribution::Network& network) {
  std::vector<float> values;
  network.for_each_parameter([&](const model::Parameter& parameter) {
    values.insert(values.end(), parameter.values.begin(), parameter.values.end());
  });
  return values;
}

/// Those of `whole`, on one rank, that `network` holds on this one.
std::vector<float> part_of(distribution::Network& whole, distribution::Network& network) {
  std::vector<std::pair<Index, Index>> held;  // first and count, in values
  network.for_each_parameter([&](const model::Parameter& parameter) {
    const Index block = test::block_size(parameter);
    held.emplace_back(parameter.first * block, parameter.count * block);
  });
  std::vector<float> values;
  auto next = held.begin();
  whole.for_each_parameter([&](const model::Parameter& parameter) {
    const auto [first, count] = *next++;
    const auto part = parameter.values.subspan(size(first), size(count));
    values.insert(values.end(), part.begin(), part.end());
  });
  return values;
}

TEST(SteppedTraining, makes_the_steps_asked_for_the_same_on_any_ranks) {
  const RandomDataset dataset(3 * rows, spec.inputs, spec.classes);
  const comm::Communicator alone = comm::Communicator::local();
  for (const char* rule : {"none", "margin"}) {
    SteppedTraining training(spec, world(), dataset, rows, rule);
    SteppedTraining whole(spec, alone, dataset, rows, rule);
    const std::vector<float> before = values_of(training.network());
    training.steps(5);
    EXPECT_FALSE(test::same_bits(values_of(training.network()), before));
    for (int i = 0; i < 5; ++i) {
      EXPECT_FALSE(
          test::same_bits(values_of(training.network()), part_of(whole.network(), training.network())));
      whole.steps(1);
    }
    EXPECT_TRUE(test::same_bits(values_of(training.network()), part_of(whole.network(), training.network())));
  }
}

/// What `body` makes this rank send and receive.
template <class Body>
comm::Traffic traffic_of(Body body) {
  const comm::Traffic before = world().traffic();
  body();
  const comm::Traffic after = world().traffic();
  return {after.bytes_sent - before.bytes_sent, after.bytes_received - before.bytes_received,
          after.bytes_reduced - before.bytes_reduced};
}

TEST(SteppedTraining, moves_what_steps_and_forward_passes_move) {
  constexpr Index batches = 3;
  const RandomDataset dataset(batches * rows, spec.inputs, spec.classes);
  SteppedTraining training(spec, world(), dataset, rows, "margin");
  const distribution::StepTraffic of_a_step = distribution::bytes_per_step(spec, world().size(), rows);
  const comm::Traffic stepped = traffic_of([&] { training.steps(4); });
  EXPECT_EQ(stepped.bytes_reduced, world().is_local() ? 0 : 4 * of_a_step.totals);
  const std::vector<float> before = values_of(training.network());
  const comm::Traffic evaluated = traffic_of([&] { training.evaluate(); });
  EXPECT_TRUE(test::same_bits(values_of(training.network()), before));
  if (!world().is_coordinator()) return;
  EXPECT_EQ(stepped.bytes_sent, 4 * of_a_step.sent());
  EXPECT_EQ(stepped.bytes_received, 4 * of_a_step.received());
  EXPECT_EQ(evaluated.bytes_sent, batches * (of_a_step.gates + of_a_step.outputs));
  EXPECT_EQ(evaluated.bytes_received, batches * of_a_step.output_sums);
}

TEST(SteppedTraining, refuses_a_rule_that_is_none) {
  const RandomDataset dataset(rows, spec.inputs, spec.classes);
  EXPECT_THROW(SteppedTraining(spec, world(), dataset, rows, "margins"), InputError);
}

}  // namespace
}  // namespace dmoe::bench
