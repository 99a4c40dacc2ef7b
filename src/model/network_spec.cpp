#include "model/network_spec.hpp"

#include <algorithm>

namespace dmoe::model {

Index NetworkSpec::input_width(Index layer) const {
  return layer == 0 ? inputs : layers[size(layer - 1)].hidden;
}

Index NetworkSpec::parameter_count() const {
  Index count = classes * (input_width(layer_count()) + 1);
  for (Index l = 0; l < layer_count(); ++l) {
    const auto& [experts, hidden, gate_hidden] = layers[size(l)];
    const Index inputs_here = input_width(l);
    count += experts * hidden * (inputs_here + 1);                           // W_i, b_i
    count += gate_hidden * (inputs_here + 1) + experts * (gate_hidden + 1);  // P, p, Q, q
  }
  return count;
}

Index NetworkSpec::multiply_accumulates() const {
  Index count = classes * input_width(layer_count());
  for (Index l = 0; l < layer_count(); ++l) {
    const auto& [experts, hidden, gate_hidden] = layers[size(l)];
    count += input_width(l) * (experts * hidden + gate_hidden) + gate_hidden * experts + experts * hidden;
  }
  return count;
}

Index NetworkSpec::most_experts() const {
  Index most = 0;
  for (const LayerSpec& layer : layers) most = std::max(most, layer.experts);
  return most;
}

}  // namespace dmoe::model
