// The gate of one layer: g(x) = softmax(Q max(0, P x + p) + q), paper section 2; mixed as a whole or routed.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/matrix.hpp"
#include "model/choices.hpp"
#include "model/network_spec.hpp"
#include "model/parameters.hpp"
#include "model/routing.hpp"
#include "model/slices.hpp"

namespace dmoe::model {

/// Lives where rows are at home; on other ranks an empty one lists the parameters. Forward, then
/// backward_input (d_x may be empty where not wanted), then backward_weights: the dense mixture's or a
/// routing's. A batch comes in slices.
class Gate {
 public:
  Gate(const LayerSpec& spec, Index inputs, Index layer, Presence presence, std::uint64_t seed,
       Index capacity, Index gradient_blocks = 1);

  /// gates (B, N): the softmax over the experts that are not masked, 0 for the others; x (B, D), masked (N).
  /// Local.
  void forward(ConstMatrixView x, std::span<const std::uint8_t> masked, MatrixView gates,
               const Slices& slices = Slices::whole());
  /// choices (B, K): what the routing makes of that softmax, with its noise where rows are presented in
  /// training. Local.
  void forward(ConstMatrixView x, std::span<const std::uint8_t> masked, const Routing& routing,
               const std::optional<Presentation>& presentation, const Choices& choices,
               const Slices& slices = Slices::whole());
  /// d_x (B, D) from d_gates (B, N) through the renormalised softmax; skipped where d_x has no rows. Local.
  void backward_input(ConstMatrixView gates, ConstMatrixView d_gates, MatrixView d_x);
  /// The same from d_values (B, K), the gradients of the values in use. Local.
  void backward_input(const ConstChoices& choices, const Routing& routing, ConstMatrixView d_values,
                      MatrixView d_x);
  /// The gradients of P, p, Q and q; x (B, D) as in the forward pass. Local.
  void backward_weights(ConstMatrixView x);

  /// Visits hidden_weight (G, D), hidden_bias (G), output_weight (N, G), output_bias (N), below `prefix`.
  /// Local.
  void for_each_parameter(const std::string& prefix, const ParameterVisitor& visit);

 private:
  /// The logits (B, N).
  MatrixView logits_of(ConstMatrixView x, const Slices& slices);
  void add_noise(MatrixView logits, float deviation, const Presentation& presentation) const;
  /// d_logits_ through the softmax over the chosen alone.
  void gradient_of_chosen(const ConstChoices& choices, ConstMatrixView d_values);
  /// d_logits_ through the softmax over all, of which only the chosen reach the loss.
  void gradient_of_all(const ConstChoices& choices, ConstMatrixView d_values);
  /// db of q of a slice: the same sums where few are not 0.
  void add_output_bias_gradient(const RowRange& range, MatrixView into, Into how) const;
  /// d_x from d_logits_.
  void backward_from_logits(MatrixView d_x);

  LayerSpec spec_;
  Index inputs_;
  Index layer_;
  Weights hidden_weight_;  // P
  Weights hidden_bias_;    // p (1, G)
  Weights output_weight_;  // Q
  Weights output_bias_;    // q (1, N)
  Index rows_ = 0;         // B of the last forward pass
  const Slices* slices_ = &Slices::whole();
  Matrix hidden_;         // (capacity, G)
  Matrix logits_;         // (capacity, N)
  GrowingMatrix p_;       // (B, N): the softmax that the last routing chose from, where its values need it
  Matrix d_hidden_;       // (capacity, G)
  Matrix d_logits_;       // (capacity, N)
  bool has_few_ = false;  // d_logits_ is 0 but at places_, (row, expert) in order
  std::vector<std::size_t> places_;
  std::vector<Index> chosen_;
};

}  // namespace dmoe::model
