#include "scale/prediction.hpp"

#include <gtest/gtest.h>

#include "distribution/traffic.hpp"
#include "scale/sample_machine.hpp"

namespace dmoe::scale {
namespace {

using test::idle_machine;
using test::multiplying_machine;
using test::waiting_machine;

const model::NetworkSpec a{1296, 10, {{4, 100, 50}, {4, 100, 50}}};

double seconds(const Machine& machine, const Workload& work, const Layout& layout) {
  return predict(machine, work, layout).parts.all();
}

TEST(Prediction, of_one_rank_multiplies_each_product_once) {
  const Workload work{a, 100, 1, {0, 0}};
  // Layer 1 has no dx of its inputs: two products of x, three of everything else.
  const double layer1 = 2 * (4 * 100 * 1296 + 50 * 1296) + 3 * 50 * 4;
  const double layer2 = 3 * (4 * 100 * 100 + 50 * 100 + 50 * 4);
  const Parts parts = predict(multiplying_machine(), work, Layout{}).parts;
  EXPECT_DOUBLE_EQ(parts.all(), 100 * (layer1 + layer2 + 3 * 100 * 10));
  EXPECT_DOUBLE_EQ(parts.gate, 100 * (2 * 50 * 1296 + 3 * 50 * 4 + 3 * (50 * 100 + 50 * 4)));
  EXPECT_DOUBLE_EQ(parts.experts, 100 * (2 * 4 * 100 * 1296 + 3 * 4 * 100 * 100));
  EXPECT_DOUBLE_EQ(parts.head, 100 * 3 * 100 * 10);
}

TEST(Prediction, of_replicas_halves_products_and_leaves_gates_to_each) {
  const Workload work{a, 100, 2, {0, 0}};
  const double one = seconds(multiplying_machine(), work, {});
  EXPECT_DOUBLE_EQ(seconds(multiplying_machine(), work, {2, 1}), one / 2);
}

TEST(Prediction, of_shards_waits_for_the_coordinator_who_gates) {
  const Workload work{a, 100, 1, {0, 0}};
  const double experts = 2 * 4 * 100 * 1296 + 3 * 4 * 100 * 100;
  const double gates_and_head = 2 * 50 * 1296 + 3 * 50 * 4 + 3 * (50 * 100 + 50 * 4) + 3 * 100 * 10;
  EXPECT_DOUBLE_EQ(seconds(multiplying_machine(), work, {1, 2}), 100 * (gates_and_head + experts / 2));
  EXPECT_DOUBLE_EQ(seconds(multiplying_machine(), work, {1, 4}), 100 * (gates_and_head + experts / 4));
}

TEST(Prediction, of_latency_counts_the_messages_that_wait_for_each_other) {
  const Workload work{a, 100, 2, {0, 0}};
  // Each layer twice: gates or dz out, sums back.
  EXPECT_NEAR(seconds(waiting_machine(), work, {1, 2}), 8, 1e-9);
  EXPECT_NEAR(seconds(waiting_machine(), work, {2, 1}), 2, 1e-9);  // gradients, weights
  EXPECT_NEAR(seconds(waiting_machine(), work, {2, 2}), 10, 1e-9);
  EXPECT_NEAR(seconds(waiting_machine(), work, {1, 1}), 0, 1e-9);
  // A broadcast to three others goes through two rounds.
  EXPECT_NEAR(seconds(waiting_machine(), work, {1, 4}), 12, 1e-9);
  // Routed: choices, rows of z above layer 1, sums; rows of dz, sums.
  const Workload routed{a, 100, 1, {2, 2}};
  EXPECT_NEAR(seconds(waiting_machine(), routed, {1, 2}), 8, 1e-9);
}

TEST(Prediction, of_latency_of_homes_counts_each_exchange) {
  const Workload work{a, 100, 2, {0, 0}};
  // Dense: gates, sums of z, dz, dg in each layer, z below and sums of dx in the upper: 10; gates'
  // gradients: 2.
  EXPECT_NEAR(seconds(waiting_machine(), work, {1, 2, Gating::rows}), 12, 1e-9);
}

TEST(Prediction, of_bandwidth_is_the_bytes_of_replicas) {
  Machine machine = idle_machine();
  machine.inner.bandwidth = machine.outer.bandwidth = 1;
  const Workload work{a, 128, 2, {0, 0}};
  const double totals_done_meanwhile = 8 * 630'518 / 2.0;
  EXPECT_NEAR(seconds(machine, work, {2, 1}), totals_done_meanwhile, 1e-6);
}

TEST(Prediction, says_bytes_as_traffic_does) {
  const Workload work{a, 128, 4, {0, 0}};
  const Prediction shards = predict(idle_machine(), work, {1, 2});
  const distribution::StepTraffic step = distribution::bytes_per_step(a, 2, 128);
  EXPECT_EQ(shards.first.bytes_sent, step.sent());
  EXPECT_EQ(shards.first.bytes_received, step.received());
  EXPECT_EQ(shards.first.bytes_reduced, step.totals);
  EXPECT_EQ(shards.other.bytes_sent, step.received());
  EXPECT_EQ(shards.other.bytes_received, step.sent());
  const Prediction replicas = predict(idle_machine(), work, {2, 1});
  EXPECT_EQ(replicas.first.bytes_sent, 8 * 630'518 / 2);
  EXPECT_EQ(replicas.first.bytes_reduced, step.totals + 16 * 4);
  const Prediction both = predict(idle_machine(), work, {2, 2});
  const auto lengths = distribution::parameter_lengths(a, 2, 0);
  EXPECT_EQ(both.first.bytes_sent, distribution::bytes_per_step(a, 2, 64).sent() +
                                       distribution::replica_traffic(lengths, 4, 2)[0].bytes_sent);
  const Prediction alone = predict(idle_machine(), work, Layout{});
  EXPECT_EQ(alone.first.bytes_sent + alone.first.bytes_received + alone.first.bytes_reduced, 0);
}

TEST(Fastest, is_the_first_of_equals) {
  std::vector<Prediction> predictions(3);
  predictions[0].parts.gate = 2;
  predictions[1].parts.experts = 1;
  predictions[2].parts.head = 1;
  EXPECT_EQ(fastest(predictions), 1U);
}

TEST(Prediction, of_the_default_machine_shares_few_rows_by_shards_and_many_by_replicas) {
  const auto best = [](Index rows) {
    const Workload work{a, rows, 4, {0, 0}};
    const std::vector<Layout> layouts = layouts_of(2, 4, 4);
    return layouts[fastest(predict(default_machine(), work, layouts))];
  };
  EXPECT_EQ(best(16), (Layout{1, 2}));
  EXPECT_EQ(best(4096), (Layout{2, 1}));
}

}  // namespace
}  // namespace dmoe::scale
