#include "analysis/analysis.hpp"

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
