// The one list of a network's parameters: what the optimiser, the files and the gradient checks walk.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "core/matrix.hpp"
#include "core/types.hpp"

namespace dmoe::model {

/// What an optimiser must know of a rank's experts of one layer, so as to leave those without rows alone.
struct ExpertActivity {
  ExpertActivity(Index count, bool has_gate) : is_gated(has_gate), has_gradient(size(count), 1) {}
  /// Whether a gate shares the examples out among them; else all work on all.
  bool is_gated;
  /// (count): 0 where every gradient of the expert is all 0, since no row came to it in the last backward
  /// pass.
  std::vector<std::uint8_t> has_gradient;
  /// Told own expert i before a forward pass reads its parameters.
  std::function<void(Index)> before_use = [](Index) {};
};

/// Who holds a tensor: one rank all of it, or each the parts of its own experts, which axis 0 counts.
enum class Split { whole, by_expert };

/// One parameter tensor. Every rank lists every parameter, in the same order; a rank that holds no part of
/// one has count 0 and empty spans.
struct Parameter {
  std::string name;                     // "layers/1/experts/weight": its path below /model in a file
  std::vector<Index> shape;             // of the whole tensor, row-major
  std::vector<std::string> dimensions;  // names of its axes
  Split split = Split::whole;
  Index first = 0;  // this rank holds [first, first + count) of axis 0
  Index count = 0;
  std::span<float> values;
  std::span<float> gradient;  // as many values; the other blocks of K follow in memory
  /// Of the experts that axis 0 counts; none where nobody keeps count. Outlives the parameter's use.
  ExpertActivity* activity = nullptr;
  /// Whether it is of what works on rows where these are at home: whole on every rank that has any.
  bool at_home = false;

  bool is_sharded() const { return split == Split::by_expert; }
  /// Block k of the K that the gradient is held in, the first of which is `gradient`.
  std::span<float> gradient_block(Index k) const {
    return {gradient.data() + k * static_cast<Index>(gradient.size()), gradient.size()};
  }
};

using ParameterVisitor = std::function<void(const Parameter&)>;

/// Whether a part that is not split (gate, head) is on this rank; elsewhere it only lists its parameters.
enum class Presence { here, elsewhere };

/// A tensor and the gradient of the loss with respect to it, of one shape: K of them one below the other,
/// where the sum over the rows of a batch is held in K blocks (slices.hpp).
struct Weights {
  Weights() = default;
  Weights(Index rows, Index columns, Index blocks = 1)
      : value(rows, columns), gradient(blocks * rows, columns) {}
  /// Rows [first, first + count) of block k of the gradient.
  MatrixView gradient_block(Index k, Index first, Index count) {
    return gradient.view().rows_from(k * value.rows() + first, count);
  }
  MatrixView gradient_block(Index k) { return gradient_block(k, 0, value.rows()); }
  std::span<float> first_gradient() { return gradient.values().first(value.values().size()); }
  Matrix value;
  Matrix gradient;
};

/// Names a weight tensor for its random stream: append only, a seed's initial weights hang on it.
enum class TensorRole : std::uint64_t {
  expert_weight = 1,
  gate_hidden_weight = 2,
  gate_output_weight = 3,
  head_weight = 4,
  expert_output_weight = 5
};

/// Sets weights (H, D) of one block uniformly in +-1/sqrt(fan_in), fan_in = D (RECIPE: every weight; biases
/// start at 0), from the stream (seed, initialisation, layer 2^40 + role 2^32 + expert), layer counted from
/// 1, expert 0 where there is only one. Local.
void initialise(std::uint64_t seed, Index layer, TensorRole role, Index expert, MatrixView weights);

}  // namespace dmoe::model
