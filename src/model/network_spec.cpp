#include "model/network_spec.hpp"

#include <algorithm>

#include "core/enum_names.hpp"

namespace dmoe::model {

namespace {

constexpr EnumNames<LayerKind, 5> kinds{"layer kind",
                                        {"mixture", "single", "concatenated", "dense", "classifier_mixture"}};

}  // namespace

std::string to_text(LayerKind kind) {
  return kinds.text(kind);
}
std::vector<std::string> layer_kind_names() {
  return kinds.all();
}
LayerKind layer_kind_named(const std::string& name) {
  return kinds.named(name);
}

std::string layer_kind_help(LayerKind kind) {
  switch (kind) {
    case LayerKind::mixture:
      return "experts, weighed by a gate (the paper's layer)";
    case LayerKind::single:
      return "one fixed expert";
    case LayerKind::concatenated:
      return "all experts side by side, without a gate";
    case LayerKind::dense:
      return "a layer of an ordinary network";
    case LayerKind::classifier_mixture:
      return "the mixture of experts of 1991, whose experts give the classes: the last layer";
  }
  return "";
}

Index NetworkSpec::input_width(Index layer) const {
  return layer == 0 ? inputs : output_width(layer - 1);
}

Index NetworkSpec::output_width(Index layer) const {
  const LayerSpec& spec = layers[size(layer)];
  if (spec.kind == LayerKind::classifier_mixture) return classes;
  return spec.kind == LayerKind::concatenated ? spec.experts * spec.hidden : spec.hidden;
}

Index NetworkSpec::parameter_count() const {
  Index count = has_head() ? classes * (input_width(layer_count()) + 1) : 0;
  for (Index l = 0; l < layer_count(); ++l) {
    const auto& [experts, hidden, gate_hidden, kind] = layers[size(l)];
    const Index inputs_here = input_width(l);
    count += experts * hidden * (inputs_here + 1);                                         // W_i, b_i
    if (kind == LayerKind::classifier_mixture) count += experts * classes * (hidden + 1);  // V_i, c_i
    if (layers[size(l)].is_gated())
      count += gate_hidden * (inputs_here + 1) + experts * (gate_hidden + 1);  // P, p, Q, q
  }
  return count;
}

Index NetworkSpec::multiply_accumulates() const {
  std::vector<Index> everybody;
  for (const LayerSpec& layer : layers) everybody.push_back(layer.experts);
  return multiply_accumulates(1, everybody);
}

Index NetworkSpec::multiply_accumulates(Index examples, const std::vector<Index>& expert_rows) const {
  Index count = has_head() ? examples * classes * input_width(layer_count()) : 0;
  for (Index l = 0; l < layer_count(); ++l) {
    const auto& [experts, hidden, gate_hidden, kind] = layers[size(l)];
    Index of_a_row = input_width(l) * hidden;
    if (kind == LayerKind::classifier_mixture) of_a_row += hidden * classes;
    if (layers[size(l)].is_gated()) {
      of_a_row += output_width(l);
      count += examples * gate_hidden * (input_width(l) + experts);
    }
    count += expert_rows[size(l)] * of_a_row;
  }
  return count;
}

Index NetworkSpec::most_experts() const {
  Index most = 0;
  for (const LayerSpec& layer : layers) {
    if (layer.is_sharded()) most = std::max(most, layer.experts);
  }
  return most;
}

}  // namespace dmoe::model
