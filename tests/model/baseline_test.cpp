#include "model/baseline.hpp"

#include <cmath>

#include <gtest/gtest.h>

#include "core/error.hpp"

namespace dmoe::model {
namespace {

/// The paper's two networks on jittered MNIST.
const NetworkSpec a{1296, 10, {{4, 100, 50}, {4, 100, 50}}};
const NetworkSpec b{1296, 10, {{4, 50, 20}, {4, 20, 20}}};
const NetworkSpec one_layer{1296, 10, {{4, 100, 50}}};

std::vector<Index> widths(const NetworkSpec& spec) {
  std::vector<Index> found;
  for (const LayerSpec& layer : spec.layers) {
    EXPECT_EQ(layer.kind, LayerKind::dense);
    EXPECT_EQ(layer.experts, 1);
    found.push_back(layer.hidden);
  }
  return found;
}

TEST(Baseline, of_none_is_the_mixture) {
  EXPECT_EQ(baseline_of(a, Baseline::none).layers, a.layers);
}

TEST(Baseline, changes_the_last_layer_alone) {
  const NetworkSpec single = baseline_of(b, Baseline::single);
  EXPECT_EQ(single.layers[0], b.layers[0]);
  EXPECT_EQ(single.layers[1], (LayerSpec{1, 20, 0, LayerKind::single}));
  const NetworkSpec concatenated = baseline_of(b, Baseline::concatenated);
  EXPECT_EQ(concatenated.layers[0], b.layers[0]);
  EXPECT_EQ(concatenated.layers[1], (LayerSpec{4, 20, 0, LayerKind::concatenated}));
  EXPECT_EQ(concatenated.input_width(2), 80);
  EXPECT_EQ(baseline_of(one_layer, Baseline::single).layers,
            (std::vector<LayerSpec>{{1, 100, 0, LayerKind::single}}));
}

TEST(Baseline, has_the_widths_of_the_papers_formula) {
  for (const NetworkSpec& mixture : {a, b}) {
    const auto p = static_cast<double>(mixture.parameter_count());
    const auto c = static_cast<double>(mixture.classes);
    const auto u = static_cast<double>(mixture.layers[1].hidden);
    const double width = (p - c * u - c - u) / (static_cast<double>(mixture.inputs) + 1 + u);
    EXPECT_EQ(widths(baseline_of(mixture, Baseline::dense_wide_first)),
              (std::vector<Index>{std::lround(width), mixture.layers[1].hidden}));
  }
  EXPECT_EQ(widths(baseline_of(a, Baseline::dense_wide_first)), (std::vector<Index>{451, 100}));
}

TEST(Baseline, has_equal_widths_of_the_nearest_parameter_count) {
  const NetworkSpec of_a = baseline_of(a, Baseline::dense_equal_widths);
  EXPECT_EQ(widths(of_a), (std::vector<Index>{375, 375}));
  EXPECT_EQ(of_a.parameter_count(), 631135);
  const NetworkSpec of_b = baseline_of(b, Baseline::dense_equal_widths);
  EXPECT_EQ(widths(of_b), (std::vector<Index>{194, 194}));
  EXPECT_EQ(of_b.parameter_count(), 291398);
  const NetworkSpec of_one = baseline_of(one_layer, Baseline::dense_equal_widths);
  const Index wanted = one_layer.parameter_count();
  const Index width = widths(of_one).front();
  for (const Index other : {width - 1, width + 1}) {
    const NetworkSpec beside{1296, 10, {{1, other, 0, LayerKind::dense}}};
    EXPECT_LE(std::abs(of_one.parameter_count() - wanted), std::abs(beside.parameter_count() - wanted));
  }
}

TEST(Baseline, is_refused_where_it_makes_no_sense) {
  const NetworkSpec no_mixture{10, 3, {{1, 4, 0, LayerKind::dense}}};
  EXPECT_THROW(baseline_of(no_mixture, Baseline::single), InputError);
  for (const std::string& name : baseline_names()) EXPECT_EQ(to_text(baseline_named(name)), name);
  EXPECT_THROW(baseline_named("dense"), InputError);
}

}  // namespace
}  // namespace dmoe::model
