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
  /// Weights from the seed.
  ClassifierExperts(const LayerSpec& spec, Index inputs, Index classes, Index layer, Index first, Index count,
                    std::uint64_t seed, Index gradient_blocks = 1);

  using ExpertGroup::backward_output;
  /// (rows, C): class probabilities.
  ConstMatrixView outputs() const override { return outputs_.rows_from(0, buffer_rows()); }
  void backward_output(std::span<const ExpertUse> uses, ConstMatrixView d_z) override;
  void backward_input(MatrixView d_inputs) const override;
  void backward_weights() override;
  /// hidden_weight (N, H, D), hidden_bias (N, H), output_weight (N, C, H), output_bias (N, C).
  void for_each_parameter(const std::string& prefix, const ParameterVisitor& visit) override;

 private:
  void compute() override;
  /// The part of own expert i of a tensor with as many rows of each.
  static MatrixView of(Matrix& all, Index i, Index rows) { return all.view().rows_from(i * rows, rows); }
  static ConstMatrixView of(const Matrix& all, Index i, Index rows) {
    return all.view().rows_from(i * rows, rows);
  }

  Index experts_;                              // N
  Index hidden_;                               // H
  Index classes_;                              // C
  Weights hidden_weight_;                      // W (count H, D)
  Weights hidden_bias_;                        // b (count, H)
  Weights output_weight_;                      // V (count C, H)
  Weights output_bias_;                        // c (count, C)
  GrowingMatrix hidden_values_;                // (rows, H)
  GrowingMatrix outputs_;                      // (rows, C)
  GrowingMatrix d_hidden_;                     // (rows, H): gradient before max(0, .)
  GrowingMatrix d_logits_;                     // (rows, C): gradient before the softmax
  std::vector<std::uint8_t> no_class_masked_;  // (C)
};

}  // namespace dmoe::model
