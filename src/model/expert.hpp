// The experts of one layer that one rank holds, of whatever kind, and the paper's: f_i(x) = max(0, W_i x +
// b_i), section 2.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/matrix.hpp"
#include "model/network_spec.hpp"
#include "model/parameters.hpp"
#include "model/slices.hpp"
#include "model/summation_tree.hpp"

namespace dmoe::model {

/// What one expert works on in one slice of a batch: n rows of inputs, and as many rows of its group's
/// buffers. Those of one expert follow each other there, but of outputs that stand side by side.
struct ExpertBatch {
  ConstMatrixView x;  // (n and what pads the products, D); what pads is 0
  Index first = 0;    // of the buffers
  Index rows = 0;     // n
};

/// Every `stride`-th value.
template <class T>
struct Strided {
  T* data = nullptr;
  Index stride = 1;
  T& operator[](Index i) const { return data[i * stride]; }
};

/// Where the outputs (n, H) of one expert for one slice went: row r into row z_rows[r] of z, times gates[r].
struct ExpertUse {
  const Index* z_rows = nullptr;  // (n); null where they are first_z_row, ..
  Index first_z_row = 0;
  Strided<const float> gates;  // (n)
  Strided<float> d_gates;      // (n), to be filled: dLoss/dgate
  Index z_row(Index r) const { return z_rows == nullptr ? first_z_row + r : z_rows[r]; }
};

/// Experts [first, first + count) of a layer of N, each from x (n, D) to f_i(x) (n, H). Forward, then
/// backward in the order backward_output, backward_input (where wanted), backward_weights. An expert without
/// rows takes no time, and its gradient is 0.
class ExpertGroup {
 public:
  ExpertGroup(const LayerSpec& spec, Index first, Index count)
      : first_(first), count_(count), activity_(count, spec.is_gated()) {}
  virtual ~ExpertGroup() = default;
  ExpertGroup(const ExpertGroup&) = delete;
  ExpertGroup& operator=(const ExpertGroup&) = delete;

  Index first() const { return first_; }
  Index count() const { return count_; }

  /// outputs: f_i of what each own expert has to do: one batch for each slice that is here, in the order of
  /// their rows, expert after expert. The inputs must stay as they are until backward_weights. Local.
  void forward(std::span<const ExpertBatch> batches, const Slices& slices = Slices::whole());
  /// Of x (B, D) for every own expert. Local.
  void forward(ConstMatrixView x, const Slices& slices = Slices::whole());
  /// f_i of the own experts: of the second kind of forward (count B, H) in this arrangement, else one below
  /// the other.
  virtual ConstMatrixView outputs() const = 0;
  Arrangement arrangement() const { return arrangement_; }

  /// dLoss/dgate = <dz, f_i> of every row; and keeps the gradient g_i dz through each expert's output. d_z
  /// (rows, H); one use for each batch. Local.
  virtual void backward_output(std::span<const ExpertUse> uses, ConstMatrixView d_z) = 0;
  /// After the second kind of forward: gates (B, N) as used, d_z (B, H), and d_gates (B, count) of the own
  /// experts. Local.
  void backward_output(ConstMatrixView gates, ConstMatrixView d_z, MatrixView d_gates);
  /// d_inputs: each own expert's share of dx: after the second kind of forward (count B, D), one below the
  /// other; else where its rows of the buffers are. Local.
  virtual void backward_input(MatrixView d_inputs) const = 0;
  /// The gradients of the own experts' parameters. Local.
  virtual void backward_weights() = 0;
  /// Visits the parameters, first axis (N), below `prefix`. Local.
  virtual void for_each_parameter(const std::string& prefix, const ParameterVisitor& visit) = 0;

 protected:
  /// outputs() of all batches.
  virtual void compute() = 0;
  /// How outputs() of all own experts for x (B, D) are to stand.
  virtual Arrangement arrangement_of(ConstMatrixView /*x*/, const Slices& /*slices*/) const {
    return Arrangement::one_below_other;
  }
  bool is_side_by_side() const { return arrangement_ == Arrangement::side_by_side; }
  /// x (B, D) that all own experts work on, where these stand side by side.
  ConstMatrixView common_x() const { return x_; }
  /// The matrix (B, count H) of rows (count B, H) that stand side by side.
  template <class T>
  BasicMatrixView<T> side_by_side(BasicMatrixView<T> rows) const {
    return {rows.data, rows.rows / count_, count_ * rows.columns};
  }
  /// All that own expert i multiplies in tiles of tile_rows(): (i, its batch). Of x (B, D) all slices at
  /// once, of rows of its own each slice, since what pads it stands between.
  template <class Product>
  void for_each_product(const Product& product) const {
    for (std::size_t p = 0; p < products_.size(); ++p)
      if (products_[p].x.rows > 0) product(static_cast<Index>(p) / products_of_each_, products_[p]);
  }
  Index tile_rows() const { return tile_rows_; }
  /// All batches of own experts, and the use of each: (batch, use).
  template <class Visit>
  void for_each_use(std::span<const ExpertUse> uses, const Visit& visit) const {
    for (std::size_t b = 0; b < batches_.size(); ++b) visit(batches_[b], uses[b]);
  }
  /// The rows of a batch in a buffer of all, with what pads them.
  template <class Buffer>
  static auto part(Buffer& all, const ExpertBatch& batch) {
    return all.rows_from(batch.first, batch.x.rows);
  }
  /// What own expert i works on in slice j of those here.
  const ExpertBatch& batch(Index i, Index j) const { return batches_[size(i * slices_->count() + j)]; }
  const Slices& slices() const { return *slices_; }
  /// The gradients of W and b of own expert i, of which each has as many rows, dy and x of a batch being
  /// d_y(batch) and x(batch).
  template <class OutputGradient, class Input>
  void gradients(Index i, const OutputGradient& d_y, const Input& x, Weights& weight, Weights& bias) const;
  /// Rows of the buffers, padding included.
  Index buffer_rows() const { return buffer_rows_; }
  /// Whether the gradient of own expert i has to be computed: not where it was 0 and stays so. Once in each
  /// backward_weights.
  bool has_gradient(Index i);
  ExpertActivity* activity() { return &activity_; }

 private:
  bool has_rows(Index i) const;
  /// Announces the experts that have rows, and computes.
  void use();

  Index first_;
  Index count_;
  Arrangement arrangement_ = Arrangement::one_below_other;
  ConstMatrixView x_;
  Index buffer_rows_ = 0;
  const Slices* slices_ = &Slices::whole();
  std::vector<ExpertBatch> batches_;   // (own experts, slices here)
  std::vector<ExpertBatch> products_;  // (own experts, products of each)
  Index products_of_each_ = 1;
  Index tile_rows_ = numerics::Tile::all;
  std::vector<ExpertUse> uses_;
  ExpertActivity activity_;
};

/// The paper's experts, rectified linear units.
class Experts final : public ExpertGroup {
 public:
  /// Weights from the seed; layers count from 1. Where they may stand side by side, all are one product if
  /// that gives the same bits: y = max(0, x W^T + b) with W (count H, D) and b (count H), dW = dy^T x.
  Experts(const LayerSpec& spec, Index inputs, Index layer, Index first, Index count, std::uint64_t seed,
          Index gradient_blocks = 1, Arrangement allowed = Arrangement::one_below_other);

  using ExpertGroup::backward_output;
  using ExpertGroup::forward;
  ConstMatrixView outputs() const override { return outputs_.rows_from(0, buffer_rows()); }
  void backward_output(std::span<const ExpertUse> uses, ConstMatrixView d_z) override;
  /// In place of it where no gate weighs the experts: d_outputs (count B, H), the gradient of outputs().
  /// Local.
  void backward_output(ConstMatrixView d_outputs);
  void backward_input(MatrixView d_inputs) const override;
  void backward_weights() override;
  /// weight (N, H, D) and bias (N, H).
  void for_each_parameter(const std::string& prefix, const ParameterVisitor& visit) override;

 private:
  void compute() override;
  Arrangement arrangement_of(ConstMatrixView x, const Slices& slices) const override;
  /// After outputs that stand side by side: row after row, all experts of each.
  void backward_side_by_side(std::span<const ExpertUse> uses, ConstMatrixView d_z);
  void backward_weights_at_once();
  MatrixView weight(Index i) { return weight_.value.view().rows_from(i * hidden_, hidden_); }
  ConstMatrixView weight(Index i) const { return weight_.value.view().rows_from(i * hidden_, hidden_); }

  Index experts_;  // N
  Index hidden_;   // H
  Arrangement allowed_;
  /// Whether d_activation_ stands side by side too, for dW = dy^T x of all experts at once: not where dx is
  /// wanted of each, nor where slices are added up, for which one expert's dW stays in the cache.
  bool are_gradients_beside_ = false;
  bool is_first_layer_;
  Weights weight_;              // (count H, D)
  Weights bias_;                // (count, H)
  GrowingMatrix outputs_;       // (rows, H)
  GrowingMatrix d_activation_;  // (rows, H): gradient before max(0, .)
};

template <class OutputGradient, class Input>
void ExpertGroup::gradients(Index i, const OutputGradient& d_y, const Input& x, Weights& weight,
                            Weights& bias) const {
  const auto is_there = [&](Index j) { return batch(i, j).rows > 0; };
  const Index rows = count_ == 0 ? 0 : weight.value.rows() / count_;
  sum_over_slices(
      slices(), is_there, [&](Index k) { return weight.gradient_block(k, i * rows, rows); },
      [&](Index j, MatrixView into, Into how) {
        add_weight_gradient(d_y(batch(i, j)), x(batch(i, j)), into, how);
      });
  sum_over_slices(
      slices(), is_there, [&](Index k) { return bias.gradient_block(k, i, 1); },
      [&](Index j, MatrixView into, Into how) { add_bias_gradient(d_y(batch(i, j)), into, how); });
}

}  // namespace dmoe::model
