// The gate of one layer: g(x) = softmax(Q max(0, P x + p) + q), paper section 2.
#pragma once

#include <cstdint>
#include <span>

#include "core/matrix.hpp"
#include "model/network_spec.hpp"
#include "model/parameters.hpp"

namespace dmoe::model {

/// Lives on the coordinator; on other ranks an empty one lists the parameters. Forward, then backward_input
/// (d_x may be empty where not wanted), then backward_weights.
class Gate {
 public:
  Gate(const LayerSpec& spec, Index inputs, Index layer, Presence presence, std::uint64_t seed,
       Index capacity);

  /// gates (B, N): the softmax over the experts that are not masked, 0 for the others; x (B, D), masked (N).
  /// Local.
  void forward(ConstMatrixView x, std::span<const std::uint8_t> masked, MatrixView gates);
  /// d_x (B, D) from d_gates (B, N) through the renormalised softmax; skipped where d_x has no rows. Local.
  void backward_input(ConstMatrixView gates, ConstMatrixView d_gates, MatrixView d_x);
  /// The gradients of P, p, Q and q; x (B, D) as in the forward pass. Local.
  void backward_weights(ConstMatrixView x);

  /// Visits hidden_weight (G, D), hidden_bias (G), output_weight (N, G), output_bias (N), below `prefix`.
  /// Local.
  void for_each_parameter(const std::string& prefix, const ParameterVisitor& visit);

 private:
  LayerSpec spec_;
  Index inputs_;
  Weights hidden_weight_;  // P
  Weights hidden_bias_;    // p (1, G)
  Weights output_weight_;  // Q
  Weights output_bias_;    // q (1, N)
  Index rows_ = 0;         // B of the last forward pass
  Matrix hidden_;          // (capacity, G)
  Matrix logits_;          // (capacity, N)
  Matrix d_hidden_;        // (capacity, G)
  Matrix d_logits_;        // (capacity, N)
};

}  // namespace dmoe::model
