// The arithmetic between the matrix products. Every sum has one fixed order: a function's bits depend on its
// arguments alone.
#pragma once

#include <cstdint>
#include <span>

#include "core/matrix.hpp"

namespace dmoe::numerics {

/// <a, b>, summed in 16 interleaved lanes which are then added in one fixed tree. Local.
float dot(std::span<const float> a, std::span<const float> b);

/// <a, a>, squared and summed in double precision in the same order. Local.
double squared_norm(std::span<const float> a);

/// sums (H) = sum over the rows of matrix (B, H), first row first. Local.
void column_sums(ConstMatrixView matrix, std::span<float> sums);

/// Sets d (B, H) to 0 where the activation max(0, .) that gave y (B, H) was not positive. Local.
void relu_gradient(ConstMatrixView y, MatrixView d);

/// p (B, N) = softmax of logits (B, N) over the columns that are not masked; 0 in the others. Equal to the
/// full softmax with masked columns set to 0 and the rest renormalised. At least one column is not masked.
/// masked (N), nonzero: masked. p may be logits itself. Local.
void masked_softmax(ConstMatrixView logits, std::span<const std::uint8_t> masked, MatrixView p);

/// d_logits (B, N) = p (d_p - <p, d_p>), the gradient through a (masked) softmax p (B, N). 0 where p is.
/// d_logits may be d_p itself.
/// Local.
void softmax_gradient(ConstMatrixView p, ConstMatrixView d_p, MatrixView d_logits);

/// What a batch cost.
struct Loss {
  double sum = 0;    // cross-entropy summed over the rows, nats
  Index errors = 0;  // rows whose largest logit (the first of equals) is not the label's
  Loss& operator+=(const Loss& more) {
    sum += more.sum;
    errors += more.errors;
    return *this;
  }
};

/// Cross-entropy of softmax(logits (B, C)) against labels (B). Local.
Loss cross_entropy(ConstMatrixView logits, std::span<const std::int32_t> labels);

/// The same, and its gradient: d_logits (B, C) of the mean cross-entropy over a batch of `batch_rows` rows,
/// of which these are B. Local.
Loss cross_entropy(ConstMatrixView logits, std::span<const std::int32_t> labels, MatrixView d_logits,
                   Index batch_rows);

/// Cross-entropy of distributions p (B, C) against labels (B): -log p_label, where p is at least the smallest
/// normal number; a row is wrong whose largest p (the first of equals) is not the label's. Local.
Loss negative_log_likelihood(ConstMatrixView p, std::span<const std::int32_t> labels);

/// The same, and the gradient of its mean over a batch of `batch_rows` rows, of which these are B: d_p (B,
/// C). Local.
Loss negative_log_likelihood(ConstMatrixView p, std::span<const std::int32_t> labels, MatrixView d_p,
                             Index batch_rows);

}  // namespace dmoe::numerics
