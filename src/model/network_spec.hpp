// The shape of a Deep Mixture of Experts or of one of its baselines, and what it costs.
//
// Letters used everywhere: B batch, D input width, H hidden units of one expert, N experts of a layer, G
// hidden units of a gate, C classes, L mixture layers.
#pragma once

#include <string>
#include <vector>

#include "core/types.hpp"

namespace dmoe::model {

/// What a layer makes of its input x (paper, sections 2 and 3; f_i(x) = max(0, W_i x + b_i)).
enum class LayerKind {
  mixture,            // sum_i g_i(x) f_i(x)
  single,             // f(x): one fixed expert in place of a mixture
  concatenated,       // f_1(x), .., f_N(x) side by side: all experts, no gate
  dense,              // f(x): a layer of an ordinary network
  classifier_mixture  // sum_i g_i(x) softmax(V_i f_i(x) + c_i): the classes, of the mixture of 1991
};

/// "mixture", .. Local.
std::string to_text(LayerKind kind);
/// All of them, in the order of the enum. Local.
std::vector<std::string> layer_kind_names();
/// Throws InputError for a name that is none. Local.
LayerKind layer_kind_named(const std::string& name);
/// What it is, in a few words. Local.
std::string layer_kind_help(LayerKind kind);

/// One layer: N experts of H units, a gate of G units. Its input width D is the width below it.
struct LayerSpec {
  Index experts = 0;  // 1 of single and dense
  Index hidden = 0;
  Index gate_hidden = 0;  // 0 where there is no gate
  LayerKind kind = LayerKind::mixture;

  /// A gate chooses among the experts.
  bool is_gated() const { return kind == LayerKind::mixture || kind == LayerKind::classifier_mixture; }
  /// The experts are split over the ranks; else the layer is where rows are.
  bool is_sharded() const { return kind != LayerKind::single && kind != LayerKind::dense; }
  /// Experts that a gate chooses among: N, or 0 without a gate.
  Index choices() const { return is_gated() ? experts : 0; }
  bool operator==(const LayerSpec&) const = default;
};

/// L layers, then a linear head onto C classes, unless the last layer gives the classes itself.
struct NetworkSpec {
  Index inputs = 0;
  Index classes = 0;
  std::vector<LayerSpec> layers;

  /// D of layer l = 0 .. L-1; of l = L, the width that the head reads.
  Index input_width(Index layer) const;
  /// Of layer l = 0 .. L-1.
  Index output_width(Index layer) const;
  Index layer_count() const { return static_cast<Index>(layers.size()); }
  bool has_head() const { return layers.back().kind != LayerKind::classifier_mixture; }
  /// Trainable values: experts, gates and head.
  Index parameter_count() const;
  /// Multiply-accumulates of one forward pass of one example that all experts work on (biases and activations
  /// not counted).
  Index multiply_accumulates() const;
  /// Of `examples` examples, where the experts of layer l = 0 .. L-1 together worked on expert_rows[l] rows.
  Index multiply_accumulates(Index examples, const std::vector<Index>& expert_rows) const;
  /// N of the sharded layer with the most experts, the most ranks that can have work; 0 where no layer is
  /// sharded.
  Index most_experts() const;
};

}  // namespace dmoe::model
