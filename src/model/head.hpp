// The output of the network and the cross-entropy it is trained on: softmax(W z + b) on the last layer's z,
// or z itself where that layer gives a distribution over the classes.
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
  Head() = default;
  virtual ~Head() = default;
  Head(const Head&) = delete;
  Head& operator=(const Head&) = delete;

  /// scores (B, C) of z (B, H). Local.
  virtual void forward(ConstMatrixView z) = 0;
  /// Whose largest is the class that the network names.
  virtual ConstMatrixView scores() const = 0;
  /// The loss of the last forward pass against labels (B). Local.
  virtual numerics::Loss loss(std::span<const std::int32_t> labels) const = 0;
  /// The same, and the gradients of the mean loss: of the parameters, and d_z (B, H). Local.
  virtual numerics::Loss backward(ConstMatrixView z, std::span<const std::int32_t> labels,
                                  MatrixView d_z) = 0;
  /// Visits the parameters below `prefix`. Local.
  virtual void for_each_parameter(const std::string& prefix, const ParameterVisitor& visit) = 0;
};

/// softmax(W z + b); its scores are the logits.
class LinearHead final : public Head {
 public:
  /// `layer` is L + 1 in the numbering of the random streams.
  LinearHead(Index inputs, Index classes, Index layer, Presence presence, std::uint64_t seed, Index capacity);

  void forward(ConstMatrixView z) override;
  ConstMatrixView scores() const override { return logits_.first_rows(rows_); }
  numerics::Loss loss(std::span<const std::int32_t> labels) const override;
  numerics::Loss backward(ConstMatrixView z, std::span<const std::int32_t> labels, MatrixView d_z) override;
  /// weight (C, H) and bias (C).
  void for_each_parameter(const std::string& prefix, const ParameterVisitor& visit) override;

 private:
  Index inputs_;
  Index classes_;
  Weights weight_;
  Weights bias_;     // (1, C)
  Index rows_ = 0;   // B of the last forward pass
  Matrix logits_;    // (capacity, C)
  Matrix d_logits_;  // (capacity, C)
};

/// z, which is a distribution over the classes already (a mixture of classifiers); no parameters.
class DistributionHead final : public Head {
 public:
  DistributionHead(Index classes, Presence presence, Index capacity)
      : p_(presence == Presence::here ? capacity : 0, classes) {}

  void forward(ConstMatrixView z) override;
  ConstMatrixView scores() const override { return p_.first_rows(rows_); }
  numerics::Loss loss(std::span<const std::int32_t> labels) const override;
  numerics::Loss backward(ConstMatrixView z, std::span<const std::int32_t> labels, MatrixView d_z) override;
  void for_each_parameter(const std::string& /*prefix*/, const ParameterVisitor& /*visit*/) override {}

 private:
  Index rows_ = 0;  // B of the last forward pass
  Matrix p_;        // (capacity, C)
};

}  // namespace dmoe::model
