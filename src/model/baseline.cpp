#include "model/baseline.hpp"

#include "core/enum_names.hpp"

namespace dmoe::model {

namespace {

constexpr EnumNames<Baseline, 5> baselines{
    "baseline", {"none", "single", "concatenated", "dense_wide_first", "dense_equal_widths"}};

LayerSpec dense_layer(Index hidden) {
  return {1, hidden, 0, LayerKind::dense};
}

/// The dense network of the baseline whose free width is `width`.
NetworkSpec dense_network(const NetworkSpec& mixture, Baseline baseline, Index width) {
  NetworkSpec dense{mixture.inputs, mixture.classes, {}};
  for (const LayerSpec& layer : mixture.layers) {
    const bool is_free = dense.layers.empty() || baseline == Baseline::dense_equal_widths;
    dense.layers.push_back(dense_layer(is_free ? width : layer.hidden));
  }
  return dense;
}

/// The width whose network has a parameter count nearest to the mixture's. The count grows with the width, so
/// that halving finds where it passes the mixture's.
NetworkSpec nearest_dense_network(const NetworkSpec& mixture, Baseline baseline) {
  const Index wanted = mixture.parameter_count();
  const auto count = [&](Index width) { return dense_network(mixture, baseline, width).parameter_count(); };
  Index below = 1;
  Index above = wanted;  // a unit has a parameter at least
  while (above - below > 1) {
    const Index middle = below + (above - below) / 2;
    (count(middle) <= wanted ? below : above) = middle;
  }
  const bool is_below_nearer = wanted - count(below) <= count(above) - wanted;
  return dense_network(mixture, baseline, is_below_nearer ? below : above);
}

}  // namespace

std::string to_text(Baseline baseline) {
  return baselines.text(baseline);
}
std::vector<std::string> baseline_names() {
  return baselines.all();
}
Baseline baseline_named(const std::string& name) {
  return baselines.named(name);
}

NetworkSpec baseline_of(const NetworkSpec& mixture, Baseline baseline) {
  if (baseline == Baseline::none) return mixture;
  for (const LayerSpec& layer : mixture.layers) {
    if (layer.kind != LayerKind::mixture) {
      throw InputError("a baseline follows from a network of mixtures; one of its layers is {}",
                       to_text(layer.kind));
    }
  }
  NetworkSpec result = mixture;
  LayerSpec& last = result.layers.back();
  switch (baseline) {
    case Baseline::single:
      last = {1, last.hidden, 0, LayerKind::single};
      return result;
    case Baseline::concatenated:
      last = {last.experts, last.hidden, 0, LayerKind::concatenated};
      return result;
    default:
      return nearest_dense_network(mixture, baseline);
  }
}

}  // namespace dmoe::model
