// The output of the network: softmax(W z + b) on the last layer's z, and the cross-entropy it is trained on.
#pragma once

#include <cstdint>
#include <span>

#include "core/matrix.hpp"
#include "model/parameters.hpp"
#include "numerics/kernels.hpp"

namespace dmoe::model {

/// Lives on the coordinator; on other ranks an empty one lists the parameters.
class Head {
 public:
  /// `layer` is L + 1 in the numbering of the random streams.
  Head(Index inputs, Index classes, Index layer, Presence presence, std::uint64_t seed, Index capacity);

  /// logits (B, C) of z (B, H). Local.
  void forward(ConstMatrixView z);
  ConstMatrixView logits() const { return logits_.first_rows(rows_); }
  /// The loss of the last forward pass against labels (B). Local.
  numerics::Loss loss(std::span<const std::int32_t> labels) const;
  /// The same, and the gradients of the mean loss: of W and b, and d_z (B, H). Local.
  numerics::Loss backward(ConstMatrixView z, std::span<const std::int32_t> labels, MatrixView d_z);

  /// Visits weight (C, H) and bias (C), below `prefix`. Local.
  void for_each_parameter(const std::string& prefix, const ParameterVisitor& visit);

 private:
  Index inputs_;
  Index classes_;
  Weights weight_;
  Weights bias_;     // (1, C)
  Index rows_ = 0;   // B of the last forward pass
  Matrix logits_;    // (capacity, C)
  Matrix d_logits_;  // (capacity, C)
};

}  // namespace dmoe::model
