#include "analysis/analysis.hpp"

#include <array>
#include <bit>
#include <cstdint>
#include <optional>
#include <vector>

#include <gtest/gtest.h>

#include "analysis/tiny.hpp"
#include "support/world.hpp"

namespace dmoe::analysis {
namespace {

using dmoe::test::world;
using test::TinyDataset;

Analysis analysis_of(const model::NetworkSpec& spec, const Options& options) {
  distribution::Network network(spec, world(), 3, 16);
  return analyze(network, TinyDataset(), {data::Split::test, {}, 16}, options, [] { return false; }).value();
}

const model::NetworkSpec three_layers{test::width, 3, {{7, 5, 4}, {4, 3, 2}, {3, 4, 2}}};

TEST(Analysis, is_on_the_coordinator) {
  const Analysis found = analysis_of(three_layers, {{3, 0}, 2, 100});
  EXPECT_EQ(found.split, "test");
  EXPECT_EQ(found.examples, test::examples);
  EXPECT_EQ(found.layers.size(), world().is_coordinator() ? 3U : 0U);
  EXPECT_EQ(found.pairs.size(), world().is_coordinator() ? 2U : 0U);
  EXPECT_FALSE(found.top.has_value());
}

/// Every number of it.
std::vector<std::uint64_t> bits_of(const Analysis& found) {
  std::vector<std::uint64_t> bits;
  const auto add = [&](double value) { bits.push_back(std::bit_cast<std::uint64_t>(value)); };
  const auto add_all = [&](const auto& values) {
    for (const auto value : values) add(static_cast<double>(value));
  };
  const auto add_information = [&](const Information& one) { add_all(std::array{one.nats, one.normalized}); };
  const auto add_top = [&](const TopExamples& top) {
    add_all(top.index);
    add_all(top.gate);
    add_all(top.input);
  };
  for (const LayerSpecialisation& layer : found.layers) {
    add_all(layer.mean_gate);
    add_information(layer.balance);
    add_information(layer.openness);
    for (const FactorMap& map : layer.factors) {
      add_all(map.mean_gate);
      for (const TestedInformation* tested : {&map.soft, &map.hard}) {
        add_information(tested->observed);
        for (const Information& one : tested->null) add_information(one);
      }
    }
  }
  for (const std::optional<Pair>& pair : found.pairs) {
    if (!pair) continue;
    add_all(pair->joint);
    add_all(pair->joint_rows);
    add_top(pair->top);
  }
  if (found.top) add_top(*found.top);
  return bits;
}

TEST(Analysis, has_the_same_bits_on_any_number_of_ranks_and_replicas) {
  const Options options{{11, 5}, 3, 100};
  for (const model::NetworkSpec& spec : {three_layers, model::NetworkSpec{test::width, 3, {{7, 5, 4}}}}) {
    const auto on = [&](const exchange::Grid& grid) {
      distribution::Network network(spec, grid, 3, 16);
      return bits_of(analyze(network, TinyDataset(), {data::Split::test, {}, 16}, options, [] {
                       return false;
                     }).value());
    };
    const comm::Communicator alone = comm::Communicator::local();
    const std::vector<std::uint64_t> expected = on(alone);
    EXPECT_GT(expected.size(), 300U);
    for (Index replicas = 1; replicas <= world().size(); ++replicas) {
      if (world().size() % replicas != 0) continue;
      const std::vector<std::uint64_t> found = on({world(), replicas, {16, replicas}});
      if (world().is_coordinator()) {
        EXPECT_EQ(found, expected) << replicas << " replicas";
      } else {
        EXPECT_TRUE(found.empty());
      }
    }
  }
}

TEST(Analysis, leaves_out_pairs_of_too_many_combinations) {
  const Analysis found = analysis_of(three_layers, {{3, 0}, 2, 27});  // 7 x 4 = 28, 4 x 3 = 12
  if (!world().is_coordinator()) return;
  EXPECT_FALSE(found.pairs[0].has_value());
  ASSERT_TRUE(found.pairs[1].has_value());
  EXPECT_EQ(found.pairs[1]->experts, 4);
  EXPECT_EQ(found.pairs[1]->next_experts, 3);
}

TEST(Analysis, goes_on_with_the_next_layer_that_has_a_gate) {
  const model::LayerSpec dense{1, 3, 0, model::LayerKind::dense};
  const Analysis found = analysis_of({test::width, 3, {{7, 5, 4}, dense, {3, 4, 2}}}, {{3, 0}, 2, 100});
  if (!world().is_coordinator()) return;
  ASSERT_EQ(found.pairs.size(), 2U);
  ASSERT_TRUE(found.pairs[0].has_value());
  EXPECT_EQ(found.pairs[0]->experts, 7);
  EXPECT_EQ(found.pairs[0]->next_experts, 3);
  EXPECT_EQ(found.pairs[0]->next_layer, 2);
  EXPECT_FALSE(found.pairs[1].has_value());
  EXPECT_FALSE(found.top.has_value());
}

TEST(Analysis, of_one_layer_has_the_top_examples_of_its_experts) {
  const Analysis found = analysis_of({test::width, 3, {{7, 5, 4}}}, {{3, 0}, 2, 100});
  if (!world().is_coordinator()) return;
  EXPECT_TRUE(found.pairs.empty());
  EXPECT_EQ(found.top.value().index.size(), 7U * 2U);
}

}  // namespace
}  // namespace dmoe::analysis
