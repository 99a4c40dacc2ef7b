// The matrix products of a network alone, on operands of its sizes: what a step would cost if nothing else
// did.
#pragma once

#include <deque>

#include "bench/work.hpp"
#include "core/matrix.hpp"
#include "distribution/layer.hpp"
#include "model/network_spec.hpp"
#include "numerics/linear.hpp"

namespace dmoe::bench {

/// Uniform in +-0.1, the same for every call. Local.
Matrix random_matrix(Index rows, Index columns);

/// The linear parts y = x W^T + b of a network, in its order. Forward and backward run all of their products.
class Products {
 public:
  /// x (rows, columns) of random values, for the parts to be added. Local.
  ConstMatrixView input(Index rows, Index columns);
  /// Adds a part; returns its y (B, outputs), for the next ones. x must be an input or a y of this object.
  /// Local.
  ConstMatrixView add(ConstMatrixView x, Index outputs, numerics::Activation activation,
                      distribution::InputGradient input_gradient);

  /// y = x W^T + b of every part. Local.
  void forward();
  /// dx = dy W where it is wanted, and dW = dy^T x, last part first. Local.
  void backward();
  /// `count` times. Local.
  void forwards(Index count);
  void steps(Index count);
  /// Of one forward pass, or of one forward and backward. Local.
  Index multiply_accumulates(Pass pass) const;

 private:
  struct Part {
    ConstMatrixView x;
    Matrix weight, bias, y, d_weight, d_x;  // d_x has no rows where it is not wanted
    numerics::Activation activation;
  };
  std::deque<Matrix> inputs_;
  std::deque<Part> parts_;
};

/// Of a network of mixtures that all experts work on, for batches of `rows`. Local.
Products network_products(const model::NetworkSpec& spec, Index rows);
/// Of its gates alone. Local.
Products gate_products(const model::NetworkSpec& spec, Index rows);

}  // namespace dmoe::bench
