// The experts of the plain mixture of experts (Jacobs, Jordan, Nowlan, Hinton 1991; paper, section 2): each
// maps x to the classes, f_i(x) = softmax(V_i max(0, W_i x + b_i) + c_i), and the gate mixes the
// distributions.
#pragma once

#include <cstdint>
#include <vector>

#include "model/expert.hpp"

namespace dmoe::model {

class ClassifierExperts final : public ExpertGroup {
 public:
  /// Weights from the seed; buffers for batches of up to `capacity` rows.
  ClassifierExperts(const LayerSpec& spec, Index inputs, Index classes, Index layer, Index first, Index count,
                    std::uint64_t seed, Index capacity);

  void forward(ConstMatrixView x) override;
  /// (count B, C): class probabilities.
  ConstMatrixView outputs() const override { return outputs_.first_rows(count_ * rows_); }
  void backward_output(ConstMatrixView gates, ConstMatrixView d_z, MatrixView d_gates) override;
  void backward_input(MatrixView d_inputs) const override;
  void backward_weights(ConstMatrixView x) override;
  /// hidden_weight (N, H, D), hidden_bias (N, H), output_weight (N, C, H), output_bias (N, C).
  void for_each_parameter(const std::string& prefix, const ParameterVisitor& visit) override;

 private:
  /// (B, ..) of own expert i in a buffer of all.
  MatrixView part(Matrix& all, Index i) const { return all.view().rows_from(i * rows_, rows_); }
  ConstMatrixView part(const Matrix& all, Index i) const { return all.view().rows_from(i * rows_, rows_); }

  Index experts_;  // N
  Index hidden_;   // H
  Index classes_;  // C
  Index first_;
  Index count_;
  Index rows_ = 0;                             // B of the last forward pass
  Weights hidden_weight_;                      // W (count H, D)
  Weights hidden_bias_;                        // b (count, H)
  Weights output_weight_;                      // V (count C, H)
  Weights output_bias_;                        // c (count, C)
  Matrix hidden_values_;                       // (count capacity, H)
  Matrix outputs_;                             // (count capacity, C)
  Matrix d_hidden_;                            // (count capacity, H): gradient before max(0, .)
  Matrix d_logits_;                            // (count capacity, C): gradient before the softmax
  std::vector<std::uint8_t> no_class_masked_;  // (C)
};

}  // namespace dmoe::model
