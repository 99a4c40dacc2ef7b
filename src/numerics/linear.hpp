// y = x W^T + b and its gradients: every matrix product of dmoe, in oneDNN. The only header behind which
// oneDNN is used. Every function is a pure function of its arguments on one CPU type and thread count: its
// bits do not depend on the addresses of its operands or on what ran before.
#pragma once

#include <compare>
#include <span>
#include <string>
#include <vector>

#include "core/matrix.hpp"

namespace dmoe::numerics {

enum class Activation { identity, relu };

/// y (B, H) = activation(x (B, D) W^T + b) with W (H, D), b (H). Local.
void linear(ConstMatrixView x, ConstMatrixView weight, std::span<const float> bias, Activation activation,
            MatrixView y);

/// dx (B, D) = dy (B, H) W with W (H, D). Local.
void linear_input_gradient(ConstMatrixView d_y, ConstMatrixView weight, MatrixView d_x);

/// dW (H, D) = dy^T x with dy (B, H), x (B, D). Assigned, not added. (db is kernels.hpp's column_sums of dy.)
/// Local.
void linear_weight_gradient(ConstMatrixView d_y, ConstMatrixView x, MatrixView d_weight);

/// dW += dy^T x: the product, rounded, and then added. Local.
void add_linear_weight_gradient(ConstMatrixView d_y, ConstMatrixView x, MatrixView d_weight);

/// Rows to make room for where a count changes from batch to batch: a product is compiled for each, so they
/// are few, one in eight more than asked for at most. Rows beyond those asked for are to be 0. With AVX-512
/// they change no bit of the others, nor of a gradient (a test looks); with less they may, so that bits
/// depend on the count, which is the same on any number of ranks. Local.
Index padded_rows(Index rows);

/// What the operands of a product are rounded to, to nearest even, before they are multiplied. Sums, results
/// and everything between the products are float32 either way.
enum class Precision { float32, bf16 };
/// "float32", "bf16". Local.
std::string to_text(Precision precision);
std::vector<std::string> precision_names();
/// Throws InputError for a name that is none. Local.
Precision precision_named(const std::string& name);
/// Throws InputError where the instruction set in use has no such products: those of bf16 need AVX-512 with
/// BF16, or AMX. Local.
void require_products_of(Precision precision);

/// How products are computed; part of what fixes their bits.
struct Arithmetic {
  int threads = 1;  // that a product may use, on this rank
  Precision precision = Precision::float32;
  auto operator<=>(const Arithmetic&) const = default;
};

/// Of the products that are computed now; until somebody says otherwise, one thread and float32. Local.
const Arithmetic& arithmetic_in_force();

/// Puts an arithmetic in force while it lives, and then the one before. One thread computes for all networks
/// of a process.
class ArithmeticScope {
 public:
  explicit ArithmeticScope(const Arithmetic& arithmetic);
  ~ArithmeticScope();
  ArithmeticScope(const ArithmeticScope&) = delete;
  ArithmeticScope& operator=(const ArithmeticScope&) = delete;

 private:
  Arithmetic before_;
};

}  // namespace dmoe::numerics
