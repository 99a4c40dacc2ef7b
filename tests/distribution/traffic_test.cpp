#include "distribution/traffic.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <vector>

#include <gtest/gtest.h>

#include "distribution/assignment.hpp"
#include "distribution/sample_network.hpp"
#include "exchange/batch_loss.hpp"
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
  EXPECT_EQ(bytes.totals, (8 + 3) * 8);
  EXPECT_EQ(bytes_per_step(a, 1, 100).sent(), 0);
  EXPECT_EQ(bytes_per_step(a, 1, 100).received(), 0);
}

/// What the gates of the last forward pass made of a layer, counted row by row.
RoutedTraffic routed_traffic(Network& network, Index layer, Index most) {
  const ConstMatrixView gates = network.gates(layer);
  const exchange::Topology topology(gates.columns, world().size());
  RoutedTraffic traffic{most, 0, 0, 0, 0};
  std::vector<bool> has_rows(size(topology.ranks()));
  for (Index b = 0; b < gates.rows; ++b) {
    for (Index rank = 1; rank < topology.ranks(); ++rank) {
      const auto chosen = [&](Index first, Index end) {
        Index count = 0;
        for (Index i = first; i < std::min(end, gates.columns); ++i) count += gates(b, i) > 0 ? 1 : 0;
        return count;
      };
      const exchange::ExpertRange own = topology.range(rank);
      traffic.choices += chosen(own.first, own.end());
      traffic.rows += chosen(own.first, own.end()) > 0 ? 1 : 0;
      if (chosen(own.first, own.end()) > 0) has_rows[size(rank)] = true;
      for (const model::TreeBlock& block : topology.blocks(rank))
        traffic.block_rows += chosen(block.first, block.first + block.width) > 0 ? 1 : 0;
    }
  }
  traffic.ranks = std::ranges::count(has_rows, true);
  return traffic;
}

/// Bytes of one step against the closed form, at every rank.
void expect_traffic(Network& network, AssignmentReduction& reduction, const Matrix& x, Index most) {
  const model::NetworkSpec& spec = network.spec();
  const std::vector<std::int32_t> labels = test::round_robin_labels(x.rows(), spec.classes);
  const comm::Traffic before = world().traffic();
  network.forward(x.view(), network.no_masks());
  reduction.start({});
  network.backward(x.view(), labels);
  reduction.finish();
  const comm::Traffic after = world().traffic();

  std::map<Index, RoutedTraffic> routed;
  for (Index l = 0; l < spec.layer_count() && most > 0; ++l) {
    if (spec.layers[size(l)].is_gated() && most < spec.layers[size(l)].experts)
      routed[l] = routed_traffic(network, l, most);
  }
  const StepTraffic expected = bytes_per_step(spec, world().size(), x.rows(), routed);
  const std::int64_t sent = after.bytes_sent - before.bytes_sent;
  const std::int64_t received = after.bytes_received - before.bytes_received;
  EXPECT_EQ(after.bytes_reduced - before.bytes_reduced, world().is_local() ? 0 : expected.totals);
  if (world().is_coordinator()) {
    EXPECT_EQ(sent, expected.sent());
    EXPECT_EQ(received, expected.received());
    EXPECT_EQ(after.messages_sent - before.messages_sent, expected.messages_sent);
    EXPECT_EQ(after.messages_received - before.messages_received, expected.messages_received);
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
    for (const Index most : {0, 2, 1}) {  // 0: dense
      const model::AllExperts all;
      const model::TopK some(most);
      for (Index l = 0; l < spec.layer_count(); ++l) {
        Mixture* const mixture = network.mixture(l);
        if (mixture == nullptr) continue;
        if (most == 0)
          mixture->route(all);
        else
          mixture->route(some);
      }
      for (const Index rows : {12, 5}) {  // the last batch of an epoch is smaller
        SCOPED_TRACE(fmt::format("{} rows, k = {}", rows, most));
        expect_traffic(network, reduction, random_matrix(rows, spec.inputs, 1), most);
      }
    }
  }
}

/// Of one step of ranks that gate rows of their own, on every rank.
void expect_home_traffic(const model::NetworkSpec& spec, Index rows, const model::Routing& routing,
                         bool is_routed) {
  constexpr Index capacity = 12;
  const exchange::Grid grid(world(), 1, {capacity, 1, capacity}, exchange::Gating::rows);
  const comm::Communicator alone = comm::Communicator::local();
  Network network(spec, grid, 1, capacity);
  Network whole(spec, {alone, 1, {capacity, 1, capacity}}, 1, capacity);  // whose gates have the same bits
  for (Index l = 0; l < spec.layer_count(); ++l) {
    if (network.mixture(l) == nullptr) continue;
    network.mixture(l)->route(routing);
    whole.mixture(l)->route(routing);
  }
  const Matrix x = random_matrix(rows, spec.inputs, 1);
  const std::vector<std::int32_t> labels = test::round_robin_labels(rows, spec.classes);
  const model::Presentation presentation{3, 0};
  const comm::Traffic before = world().traffic();
  network.forward(x.view(), network.no_masks(), presentation);
  network.backward(x.view(), labels);
  network.share_weights();
  const comm::Traffic after = world().traffic();
  whole.forward(x.view(), whole.no_masks(), presentation);

  std::map<Index, ConstMatrixView> chosen;
  for (Index l = 0; l < spec.layer_count() && is_routed; ++l)
    if (spec.layers[size(l)].is_gated() && !routing.is_dense(spec.layers[size(l)].experts))
      chosen.emplace(l, whole.gates(l));
  RankTraffic expected = home_traffic(spec, grid.training_homes(rows), chosen);
  std::vector<Index> lengths;
  network.for_each_parameter([&](const model::Parameter& parameter) {
    if (parameter.at_home) lengths.push_back(static_cast<Index>(parameter.values.size()));
  });
  expected += replica_traffic(lengths, capacity, world().size())[static_cast<std::size_t>(world().rank())];
  EXPECT_EQ(after.bytes_sent - before.bytes_sent, expected.bytes_sent);
  EXPECT_EQ(after.bytes_received - before.bytes_received, expected.bytes_received);
  EXPECT_EQ(after.messages_sent - before.messages_sent, expected.messages_sent);
  EXPECT_EQ(after.messages_received - before.messages_received, expected.messages_received);
}

TEST(HomeTraffic, is_what_each_rank_is_counted_to_move) {
  using enum model::LayerKind;
  const model::AllExperts all;
  const model::TopK one(1);
  const model::TopK two(2);
  for (const model::NetworkSpec& spec :
       {model::NetworkSpec{6, 3, {{7, 4, 3}}}, model::NetworkSpec{6, 3, {{5, 4, 3}, {7, 3, 4}}},
        model::NetworkSpec{9, 2, {{16, 4, 3}, {1, 5, 2}, {6, 3, 4}}},
        model::NetworkSpec{6, 3, {{5, 4, 3}, {7, 3, 0, concatenated}}},
        model::NetworkSpec{6, 3, {{5, 4, 3}, {1, 5, 0, single}, {4, 3, 2}}},
        model::NetworkSpec{6, 3, {{5, 4, 3, classifier_mixture}}}}) {
    for (const Index rows : {12, 7}) {
      SCOPED_TRACE(fmt::format("{} layers, {} rows", spec.layer_count(), rows));
      expect_home_traffic(spec, rows, all, false);
      expect_home_traffic(spec, rows, two, true);
      expect_home_traffic(spec, rows, one, true);
    }
  }
}

TEST(ParameterLengths, are_those_of_the_tensors_that_each_rank_holds) {
  using enum model::LayerKind;
  for (const model::NetworkSpec& spec :
       {model::NetworkSpec{6, 3, {{5, 4, 3}, {7, 3, 4}}}, model::NetworkSpec{6, 3, {{5, 4, 0, concatenated}}},
        model::NetworkSpec{6, 3, {{1, 4, 0, dense}, {5, 4, 3, classifier_mixture}}}}) {
    Network network(spec, world(), 1, 4);
    std::vector<Index> held;
    network.for_each_parameter(
        [&](const model::Parameter& one) { held.push_back(static_cast<Index>(one.values.size())); });
    EXPECT_EQ(parameter_lengths(spec, world().size(), world().rank()), held);
  }
}

TEST(ReplicaTraffic, follows_the_closed_form_of_the_papers_network_on_two_replicas) {
  const model::NetworkSpec a{1296, 10, {{4, 100, 50}, {4, 100, 50}}};
  const std::vector<Index> lengths = parameter_lengths(a, 1, 0);
  const RankTraffic bytes = replica_traffic(lengths, 4, 2)[0];
  EXPECT_EQ(bytes.bytes_sent, 8 * 630'518 / 2);
  EXPECT_EQ(bytes.bytes_received, bytes.bytes_sent);
  // Half of all values ends in the experts' weights of layer 1, tensor 0; 13 more follow.
  EXPECT_EQ(bytes.messages_sent, 14 + 1);
  EXPECT_EQ(bytes.messages_received, 1 + 14);
  const RankTraffic with_norm = replica_traffic(lengths, 4, 2, GradientSharing::yes)[1];
  EXPECT_EQ(with_norm.bytes_sent, 12 * 630'518 / 2);
  EXPECT_EQ(with_norm.messages_sent, 1 + 2 * 14);
  EXPECT_EQ(replica_traffic(lengths, 4, 1)[0].bytes_sent, 0);
  EXPECT_EQ(loss_bytes(4, 2), 64);
  EXPECT_EQ(loss_bytes(4, 1), 0);
}

TEST(ReplicaTraffic, is_what_a_step_is_counted_to_move) {
  const model::NetworkSpec spec{6, 3, {{5, 4, 3}, {7, 3, 4}}};
  for (const Index replicas : {2, 3, 4}) {
    for (const Index slices : {4, 7}) {
      if (world().size() % replicas != 0) continue;
      SCOPED_TRACE(fmt::format("{} replicas, {} slices", replicas, slices));
      const exchange::Grid grid(world(), replicas, {21, slices});
      Network network(spec, grid, 1, 21);
      exchange::BatchLoss loss(grid);
      std::vector<numerics::Loss> losses(size(grid.slices().count()));
      const std::vector<Index> lengths = parameter_lengths(spec, grid.group().size(), grid.group().rank());
      for (const GradientSharing sharing : {GradientSharing::no, GradientSharing::yes}) {
        const comm::Traffic before = world().traffic();
        network.sum_gradients();
        if (sharing == GradientSharing::yes) network.share_gradients();
        network.share_weights();
        loss.start(losses);
        loss.finish();
        const comm::Traffic after = world().traffic();
        const RankTraffic expected =
            replica_traffic(lengths, slices, replicas, sharing)[size(grid.replica())];
        EXPECT_EQ(after.bytes_sent - before.bytes_sent, expected.bytes_sent);
        EXPECT_EQ(after.bytes_received - before.bytes_received, expected.bytes_received);
        EXPECT_EQ(after.messages_sent - before.messages_sent, expected.messages_sent);
        EXPECT_EQ(after.messages_received - before.messages_received, expected.messages_received);
        EXPECT_EQ(after.bytes_reduced - before.bytes_reduced,
                  grid.group().is_coordinator() ? loss_bytes(slices, replicas) : 0);
      }
    }
  }
}

}  // namespace
}  // namespace dmoe::distribution
