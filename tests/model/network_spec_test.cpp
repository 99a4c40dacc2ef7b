#include "model/network_spec.hpp"

#include <gtest/gtest.h>

#include "core/error.hpp"
#include "model/expert.hpp"
#include "model/gate.hpp"
#include "model/head.hpp"

namespace dmoe::model {
namespace {

/// The paper's two networks on jittered MNIST.
const NetworkSpec a{1296, 10, {{4, 100, 50}, {4, 100, 50}}};
const NetworkSpec b{1296, 10, {{4, 50, 20}, {4, 20, 20}}};
const NetworkSpec uneven{9, 3, {{7, 5, 2}, {1, 4, 3}, {3, 6, 1}}};

/// Values listed by every part of a network, experts in two shards.
Index count_of_listed_values(const NetworkSpec& spec) {
  Index count = 0;
  const ParameterVisitor add = [&](const Parameter& parameter) {
    count += static_cast<Index>(parameter.values.size());
  };
  for (Index l = 0; l < spec.layer_count(); ++l) {
    const LayerSpec& layer = spec.layers[size(l)];
    const Index half = layer.experts / 2;
    Experts(layer, spec.input_width(l), l + 1, 0, half, 0).for_each_parameter("", add);
    Experts(layer, spec.input_width(l), l + 1, half, layer.experts - half, 0).for_each_parameter("", add);
    Gate(layer, spec.input_width(l), l + 1, Presence::here, 0, 1).for_each_parameter("", add);
  }
  const Index top = spec.layer_count();
  LinearHead(spec.input_width(top), spec.classes, top + 1, Presence::here, 0, 1).for_each_parameter("", add);
  return count;
}

TEST(NetworkSpec, counts_the_parameters_of_the_papers_networks) {
  EXPECT_EQ(a.parameter_count(), 630518);
  EXPECT_EQ(b.parameter_count(), 290818);
}

TEST(NetworkSpec, counts_what_the_parts_list) {
  for (const NetworkSpec& spec : {a, b, uneven})
    EXPECT_EQ(spec.parameter_count(), count_of_listed_values(spec));
}

TEST(NetworkSpec, counts_multiply_accumulates) {
  // Experts, gate hidden, gate output, weighting by the gates; then the head.
  EXPECT_EQ(a.multiply_accumulates(),
            1296 * 400 + 1296 * 50 + 50 * 4 + 400 + 100 * 400 + 100 * 50 + 50 * 4 + 400 + 100 * 10);
}

TEST(NetworkSpec, counts_what_other_kinds_of_layers_hold) {
  using enum LayerKind;
  const NetworkSpec side_by_side{9, 3, {{7, 5, 2}, {4, 6, 0, concatenated}}};
  EXPECT_EQ(side_by_side.parameter_count(), 7 * 5 * 10 + 2 * 10 + 7 * 3 + 4 * 6 * 6 + 3 * (24 + 1));
  EXPECT_EQ(side_by_side.multiply_accumulates(), 9 * 35 + 9 * 2 + 2 * 7 + 7 * 5 + 5 * 24 + 3 * 24);
  EXPECT_EQ(side_by_side.input_width(2), 24);
  const NetworkSpec fixed{9, 3, {{1, 5, 0, dense}, {1, 6, 0, single}}};
  EXPECT_EQ(fixed.parameter_count(), 5 * 10 + 6 * 6 + 3 * 7);
  EXPECT_EQ(fixed.multiply_accumulates(), 9 * 5 + 5 * 6 + 3 * 6);
  EXPECT_EQ(fixed.most_experts(), 0);
  const NetworkSpec classifiers{9, 3, {{5, 4, 2, classifier_mixture}}};
  EXPECT_FALSE(classifiers.has_head());
  EXPECT_EQ(classifiers.parameter_count(), 5 * (4 * 10 + 3 * 5) + 2 * 10 + 5 * 3);
  EXPECT_EQ(classifiers.multiply_accumulates(), 5 * (9 * 4 + 4 * 3) + 9 * 2 + 2 * 5 + 5 * 3);
  EXPECT_EQ(classifiers.input_width(1), 3);
}

TEST(LayerKind, is_spelled_as_in_configs_and_files) {
  for (const std::string& name : layer_kind_names()) EXPECT_EQ(to_text(layer_kind_named(name)), name);
  EXPECT_EQ(to_text(LayerKind::classifier_mixture), "classifier_mixture");
  EXPECT_THROW(layer_kind_named("sparse"), InputError);
}

TEST(NetworkSpec, knows_widths_and_the_largest_layer) {
  EXPECT_EQ(uneven.input_width(0), 9);
  EXPECT_EQ(uneven.input_width(1), 5);
  EXPECT_EQ(uneven.input_width(2), 4);
  EXPECT_EQ(uneven.input_width(3), 6);
  EXPECT_EQ(uneven.most_experts(), 7);
}

}  // namespace
}  // namespace dmoe::model
