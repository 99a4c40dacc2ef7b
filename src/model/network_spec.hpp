// The shape of a Deep Mixture of Experts, and what it costs.
//
// Letters used everywhere: B batch, D input width, H hidden units of one expert, N experts of a layer, G
// hidden units of a gate, C classes, L mixture layers.
#pragma once

#include <vector>

#include "core/types.hpp"

namespace dmoe::model {

/// One mixture layer: N experts of H units, a gate of G units. Its input width D is the width below it.
struct LayerSpec {
  Index experts = 0;
  Index hidden = 0;
  Index gate_hidden = 0;
  bool operator==(const LayerSpec&) const = default;
};

/// L mixture layers, then a linear head onto C classes.
struct NetworkSpec {
  Index inputs = 0;
  Index classes = 0;
  std::vector<LayerSpec> layers;

  /// D of layer l = 0 .. L-1; of l = L, the width that the head reads.
  Index input_width(Index layer) const;
  Index layer_count() const { return static_cast<Index>(layers.size()); }
  /// Trainable values: experts, gates and head.
  Index parameter_count() const;
  /// Multiply-accumulates of one forward pass of one example (biases and activations not counted).
  Index multiply_accumulates() const;
  /// N of the layer with the most experts: the most ranks that can have work.
  Index most_experts() const;
};

}  // namespace dmoe::model
