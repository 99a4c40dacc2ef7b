#include "distribution/traffic.hpp"

#include <array>
#include <vector>

#include <gtest/gtest.h>

#include "distribution/assignment.hpp"
#include "distribution/sample_network.hpp"
#include "support/world.hpp"

namespace dmoe::distribution {
namespace {

using test::random_matrix;
using test::world;

TEST(StepTraffic, follows_the_closed_form_of_the_papers_network_on_two_ranks) {
  const model::NetworkSpec a{1296, 10, {{4, 100, 50}, {4, 100, 50}}};
  const StepTraffic bytes = bytes_per_step(a, 2, 100);
  EXPECT_EQ(bytes.gates, 2 * 4 * 100 * 4);
  EXPECT_EQ(bytes.outputs, 4 * 100 * 100);
  EXPECT_EQ(bytes.output_gradients, 2 * 4 * 100 * 100);
  EXPECT_EQ(bytes.output_sums, 2 * 4 * 100 * 100);
  EXPECT_EQ(bytes.gate_gradients, 2 * 4 * 100 * 2);
  EXPECT_EQ(bytes.input_sums, 4 * 100 * 100);
  EXPECT_EQ(bytes.totals, 9 * 8);
  EXPECT_EQ(bytes_per_step(a, 1, 100).sent(), 0);
  EXPECT_EQ(bytes_per_step(a, 1, 100).received(), 0);
}

TEST(StepTraffic, is_what_a_step_is_counted_to_move) {
  using enum model::LayerKind;
  const std::vector<model::NetworkSpec> specs{{6, 3, {{7, 4, 3}}},
                                              {6, 3, {{5, 4, 3}, {7, 3, 4}}},
                                              {9, 2, {{16, 4, 3}, {1, 5, 2}, {6, 3, 4}}},
                                              {6, 3, {{5, 4, 3}, {7, 3, 0, concatenated}}},
                                              {6, 3, {{5, 4, 0, concatenated}, {4, 3, 2}}},
                                              {6, 3, {{5, 4, 3}, {1, 5, 0, single}, {4, 3, 2}}},
                                              {6, 3, {{1, 4, 0, dense}, {5, 4, 3, classifier_mixture}}}};
  for (const model::NetworkSpec& spec : specs) {
    Network network(spec, world(), 1, 12);
    AssignmentReduction reduction(network);
    for (const Index rows : {12, 5}) {  // the last batch of an epoch is smaller
      const Matrix x = random_matrix(rows, spec.inputs, 1);
      const std::vector<std::int32_t> labels = test::round_robin_labels(rows, spec.classes);
      const comm::Traffic before = world().traffic();
      network.forward(x.view(), network.no_masks());
      reduction.start(AssignmentReduction::Stop::no);
      network.backward(x.view(), labels);
      reduction.finish();
      const comm::Traffic after = world().traffic();

      const StepTraffic expected = bytes_per_step(spec, world().size(), rows);
      const std::int64_t sent = after.bytes_sent - before.bytes_sent;
      const std::int64_t received = after.bytes_received - before.bytes_received;
      EXPECT_EQ(after.bytes_reduced - before.bytes_reduced, world().is_local() ? 0 : expected.totals);
      if (world().is_coordinator()) {
        EXPECT_EQ(sent, expected.sent());
        EXPECT_EQ(received, expected.received());
      } else {
        EXPECT_LE(received, expected.sent());
      }
      std::array<std::int64_t, 1> received_elsewhere{world().is_coordinator() ? 0 : received};
      world().all_reduce(received_elsewhere);
      EXPECT_EQ(received_elsewhere[0], expected.sent());
      std::array<std::int64_t, 1> sent_to_coordinator{world().is_coordinator() ? 0 : sent};
      world().all_reduce(sent_to_coordinator);
      EXPECT_EQ(sent_to_coordinator[0], expected.received());
    }
  }
}

}  // namespace
}  // namespace dmoe::distribution
