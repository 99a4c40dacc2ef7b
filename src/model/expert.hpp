// The experts of one layer that one rank holds, of whatever kind, and the paper's: f_i(x) = max(0, W_i x +
// b_i), section 2.
#pragma once

#include <cstdint>
#include <span>

#include "core/matrix.hpp"
#include "model/network_spec.hpp"
#include "model/parameters.hpp"

namespace dmoe::model {

/// Experts [first, first + count) of a layer of N, each from x (B, D) to f_i(x) (B, H). Forward, then
/// backward in the order backward_output, backward_input (where wanted), backward_weights.
class ExpertGroup {
 public:
  ExpertGroup() = default;
  virtual ~ExpertGroup() = default;
  ExpertGroup(const ExpertGroup&) = delete;
  ExpertGroup& operator=(const ExpertGroup&) = delete;

  /// outputs: f_i(x) (B, H) of each own expert, x (B, D). Local.
  virtual void forward(ConstMatrixView x) = 0;
  /// (count B, H): f_i of the own experts, one below the other.
  virtual ConstMatrixView outputs() const = 0;
  /// d_gates (B, count): dLoss/dg_i = <dz, f_i> of the own experts; and keeps the gradient g_i dz through
  /// each expert's output. gates (B, N) as used in the forward pass, d_z (B, H). Local.
  virtual void backward_output(ConstMatrixView gates, ConstMatrixView d_z, MatrixView d_gates) = 0;
  /// d_inputs (count B, D): each own expert's share of dx, one below the other. Local.
  virtual void backward_input(MatrixView d_inputs) const = 0;
  /// The gradients of the own experts' parameters; x (B, D) as in the forward pass. Local.
  virtual void backward_weights(ConstMatrixView x) = 0;
  /// Visits the parameters, first axis (N), below `prefix`. Local.
  virtual void for_each_parameter(const std::string& prefix, const ParameterVisitor& visit) = 0;
};

/// The paper's experts, rectified linear units.
class Experts final : public ExpertGroup {
 public:
  /// Weights from the seed; buffers for batches of up to `capacity` rows.
  Experts(const LayerSpec& spec, Index inputs, Index layer, Index first, Index count, std::uint64_t seed,
          Index capacity);

  Index first() const { return first_; }
  Index count() const { return count_; }
  void forward(ConstMatrixView x) override;
  ConstMatrixView outputs() const override { return outputs_.first_rows(count_ * rows_); }
  void backward_output(ConstMatrixView gates, ConstMatrixView d_z, MatrixView d_gates) override;
  /// In place of it where no gate weighs the experts: d_outputs (count B, H), the gradient of each own
  /// expert's output. Local.
  void backward_output(ConstMatrixView d_outputs);
  void backward_input(MatrixView d_inputs) const override;
  void backward_weights(ConstMatrixView x) override;
  /// weight (N, H, D) and bias (N, H).
  void for_each_parameter(const std::string& prefix, const ParameterVisitor& visit) override;

 private:
  MatrixView weight(Index i) { return weight_.value.view().rows_from(i * hidden_, hidden_); }
  ConstMatrixView weight(Index i) const { return weight_.value.view().rows_from(i * hidden_, hidden_); }
  /// (B, H) of own expert i in a buffer of all.
  MatrixView part(Matrix& all, Index i) const { return all.view().rows_from(i * rows_, rows_); }
  ConstMatrixView part(const Matrix& all, Index i) const { return all.view().rows_from(i * rows_, rows_); }

  Index experts_;  // N
  Index hidden_;   // H
  Index first_;
  Index count_;
  Index rows_ = 0;       // B of the last forward pass
  Weights weight_;       // (count H, D)
  Weights bias_;         // (count, H)
  Matrix outputs_;       // (count capacity, H)
  Matrix d_activation_;  // (count capacity, H): gradient before max(0, .)
};

}  // namespace dmoe::model
