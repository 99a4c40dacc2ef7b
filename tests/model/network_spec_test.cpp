#include "model/network_spec.hpp"

#include <gtest/gtest.h>

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
    Experts(layer, spec.input_width(l), l + 1, 0, half, 0, 1).for_each_parameter("", add);
    Experts(layer, spec.input_width(l), l + 1, half, layer.experts - half, 0, 1).for_each_parameter("", add);
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

TEST(NetworkSpec, knows_widths_and_the_largest_layer) {
  EXPECT_EQ(uneven.input_width(0), 9);
  EXPECT_EQ(uneven.input_width(1), 5);
  EXPECT_EQ(uneven.input_width(2), 4);
  EXPECT_EQ(uneven.input_width(3), 6);
  EXPECT_EQ(uneven.most_experts(), 7);
}

}  // namespace
}  // namespace dmoe::model
