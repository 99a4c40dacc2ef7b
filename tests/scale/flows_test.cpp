#include "scale/flows.hpp"

#include <gtest/gtest.h>

#include "distribution/traffic.hpp"

namespace dmoe::scale {
namespace {

using enum model::LayerKind;

Workload work_of(const model::NetworkSpec& network, Index rows, Index chosen = 0) {
  Workload work{network, rows, 1, {}};
  for (const model::LayerSpec& layer : network.layers)
    work.chosen.push_back(layer.is_gated() && chosen < layer.experts ? chosen : 0);
  return work;
}

Flow sum_of(const Workload& work, LayerFlows (*flows)(const Workload&, Index, Index, Index), Index ranks) {
  Flow sum;
  for (Index l = 0; l < work.network.layer_count(); ++l) sum += flows(work, l, ranks, work.rows).all();
  return sum;
}

TEST(CoordinatorFlows, are_the_closed_form_of_a_step) {
  for (const model::NetworkSpec& network :
       {model::NetworkSpec{6, 3, {{7, 4, 3}}}, model::NetworkSpec{6, 3, {{5, 4, 3}, {7, 3, 4}}},
        model::NetworkSpec{9, 2, {{16, 4, 3}, {1, 5, 2}, {6, 3, 4}}},
        model::NetworkSpec{6, 3, {{5, 4, 3}, {7, 3, 0, concatenated}}},
        model::NetworkSpec{6, 3, {{5, 4, 3}, {1, 5, 0, single}, {4, 3, 2}}},
        model::NetworkSpec{6, 3, {{5, 4, 3, classifier_mixture}}}}) {
    for (Index ranks = 1; ranks <= 5; ++ranks) {
      const Flow found = sum_of(work_of(network, 12), coordinator_flows, ranks);
      const distribution::StepTraffic expected = distribution::bytes_per_step(network, ranks, 12);
      EXPECT_EQ(found.sent, expected.sent()) << ranks;
      EXPECT_EQ(found.received, expected.received()) << ranks;
      EXPECT_EQ(found.messages_sent, expected.messages_sent) << ranks;
      EXPECT_EQ(found.messages_received, expected.messages_received) << ranks;
    }
  }
}

TEST(CoordinatorFlows, of_rows_that_choose_one_expert_evenly_are_those_of_the_experts_shares) {
  const model::NetworkSpec network{6, 3, {{8, 4, 3}, {4, 5, 3}}};
  const Flow found = sum_of(work_of(network, 16, 1), coordinator_flows, 4);
  // Of 16 rows 12 go to other ranks, and come back as sums of as many.
  const distribution::RoutedTraffic routed{1, 12, 12, 12, 3};
  const distribution::StepTraffic expected =
      distribution::bytes_per_step(network, 4, 16, {{0, routed}, {1, routed}});
  EXPECT_DOUBLE_EQ(found.sent, static_cast<double>(expected.sent()));
  EXPECT_DOUBLE_EQ(found.received, static_cast<double>(expected.received()));
  EXPECT_EQ(found.messages_sent, expected.messages_sent);
  EXPECT_EQ(found.messages_received, expected.messages_received);
}

TEST(OtherFlows, are_together_those_of_the_coordinator_where_all_own_as_much) {
  const model::NetworkSpec network{6, 3, {{8, 4, 3}, {16, 5, 3}}};
  for (const Index chosen : {0, 1, 2, 3}) {
    const Workload work = work_of(network, 16, chosen);
    const Flow first = sum_of(work, coordinator_flows, 4);
    const Flow other = sum_of(work, other_flows, 4);
    EXPECT_DOUBLE_EQ(3 * other.sent, first.received) << chosen;
    EXPECT_DOUBLE_EQ(3 * other.received, first.sent) << chosen;
    EXPECT_EQ(3 * other.messages_sent, first.messages_received);
    EXPECT_EQ(3 * other.messages_received, first.messages_sent);
  }
}

LayerFlows flows_of_even_homes(const Workload& work, Index layer, Index ranks, Index rows) {
  return home_flows(work, layer, ranks, rows, (rows + ranks - 1) / ranks);
}

TEST(HomeFlows, send_as_much_as_they_receive_where_all_ranks_are_alike) {
  const model::NetworkSpec network{6, 3, {{8, 4, 3}, {16, 5, 3}}};
  for (const Index chosen : {0, 1, 2, 3}) {
    const Flow flow = sum_of(work_of(network, 16, chosen), flows_of_even_homes, 4);
    EXPECT_NEAR(flow.sent, flow.received, 1e-9) << chosen;
    EXPECT_EQ(flow.messages_sent, flow.messages_received);
  }
}

TEST(HomeFlows, follow_the_closed_form_of_a_dense_layer) {
  // 12 rows, 4 on each of 3 ranks; 7 experts, of which the last rank owns 3 in one block; 3 blocks in all.
  const Workload work = work_of({6, 3, {{7, 4, 3}}}, 12);
  const LayerFlows flows = home_flows(work, 0, 3, 12, 4);
  EXPECT_EQ(flows.gates.sent, 4 * 2 * 4 * 7);
  EXPECT_EQ(flows.gates.received, 4 * 8 * 7);
  EXPECT_EQ(flows.output_gradients.sent, 4 * 2 * 4 * 4);
  EXPECT_EQ(flows.output_sums.sent, 4 * 1 * 8 * 4);
  EXPECT_EQ(flows.output_sums.received, 4 * 2 * 4 * 4);
  EXPECT_EQ(flows.gate_gradients.sent, 4 * 8 * 3);
  EXPECT_EQ(flows.gate_gradients.received, 4 * 4 * 4);
  EXPECT_EQ(flows.inputs.sent, 0);
  EXPECT_EQ(flows.all().messages_sent, 4 * 2);
}

TEST(GatedRows, come_in_the_slices_of_the_recipe) {
  using enum Gating;
  Workload work = work_of({6, 3, {{7, 4, 3}}}, 22);
  work.slices = 2;
  EXPECT_EQ(gated_rows(work, {1, 1}).of_slices, (std::vector<Index>{11, 11}));
  EXPECT_EQ(gated_rows(work, {2, 3, rows}).of_slices, (std::vector<Index>{4}));  // as if there were six
  EXPECT_EQ(gated_rows(work, {2, 3, rows}).leaves, 6);
  work.gate_slices = 8;  // of 3, 3, .., 1
  EXPECT_EQ(gated_rows(work, {1, 1}).of_slices, (std::vector<Index>{3, 3, 3, 3, 3, 3, 3, 1}));
  EXPECT_EQ(gated_rows(work, {2, 3, rows}).of_slices, (std::vector<Index>{3, 3}));
  EXPECT_EQ(gated_rows(work, {2, 3, rows}).leaves, 8);
  EXPECT_EQ(most_rows(work, 2).of_slices, (std::vector<Index>{12}));
}

TEST(HomeFlows, of_a_rank_do_not_grow_with_their_number_where_rows_and_experts_do) {
  const auto flow = [](Index ranks) {
    const Workload work = work_of({16, 3, {{8 * ranks, 4, 3}, {8 * ranks, 4, 3}}}, 64 * ranks, 2);
    Flow all = sum_of(work, flows_of_even_homes, ranks);
    all.sent -= 2 * 8 * static_cast<double>(ranks - 1);  // counts
    return all.sent;
  };
  EXPECT_LT(flow(256) / flow(16), 1.1);
}

}  // namespace
}  // namespace dmoe::scale
