// The output of the network and the cross-entropy it is trained on: softmax(W z + b) on the last layer's z,
// or z itself where that layer gives a distribution over the classes.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/matrix.hpp"
#include "model/parameters.hpp"
#include "model/slices.hpp"
#include "numerics/kernels.hpp"

namespace dmoe::model {

/// Lives where rows are at home; on other ranks an empty one lists the parameters.
class Head {
 public:
  Head() = default;
  virtual ~Head() = default;
  Head(const Head&) = delete;
  Head& operator=(const Head&) = delete;

  /// scores (B, C) of z (B, H), a batch in these slices. Local.
  void forward(ConstMatrixView z, const Slices& slices = Slices::whole()) {
    rows_ = z.rows;
    slices_ = &slices;
    compute(z);
  }
  /// Whose largest is the class that the network names.
  virtual ConstMatrixView scores() const = 0;
  /// The loss of the last forward pass against labels (B), and of each slice. Local.
  numerics::Loss score(std::span<const std::int32_t> labels) {
    lose(labels, [&](const RowRange& range, std::span<const std::int32_t> of_range) {
      return loss_of(scores().rows_from(range.first, range.count), of_range);
    });
    numerics::Loss sum;
    for (const numerics::Loss& of_slice : losses_) sum += of_slice;
    return sum;
  }
  /// The losses of slices, and the gradients of the mean loss of a batch of `batch_rows` rows, of which
  /// these are B: of the parameters, and d_z (B, H). Local.
  virtual void backward(ConstMatrixView z, std::span<const std::int32_t> labels, MatrixView d_z,
                        Index batch_rows) = 0;
  /// Of each slice that is here. Local.
  std::span<const numerics::Loss> slice_losses() const { return losses_; }
  /// Visits the parameters below `prefix`. Local.
  virtual void for_each_parameter(const std::string& prefix, const ParameterVisitor& visit) = 0;

 protected:
  virtual void compute(ConstMatrixView z) = 0;
  /// Of rows of scores against their labels.
  virtual numerics::Loss loss_of(ConstMatrixView scores, std::span<const std::int32_t> labels) const = 0;
  Index rows() const { return rows_; }
  const Slices& slices() const { return *slices_; }
  /// Keeps loss(rows, labels of these) of every slice.
  template <class LossOf>
  void lose(std::span<const std::int32_t> labels, const LossOf& loss_of) {
    losses_.clear();
    for (Index j = 0; j < slices().count(); ++j) {
      const RowRange range = slices().of(j, rows_);
      losses_.push_back(loss_of(range, labels.subspan(size(range.first), size(range.count))));
    }
  }

 private:
  Index rows_ = 0;  // B of the last forward pass
  const Slices* slices_ = &Slices::whole();
  std::vector<numerics::Loss> losses_;
};

/// softmax(W z + b); its scores are the logits.
class LinearHead final : public Head {
 public:
  /// `layer` is L + 1 in the numbering of the random streams.
  LinearHead(Index inputs, Index classes, Index layer, Presence presence, std::uint64_t seed, Index capacity,
             Index gradient_blocks = 1);

  ConstMatrixView scores() const override { return logits_.first_rows(rows()); }
  void backward(ConstMatrixView z, std::span<const std::int32_t> labels, MatrixView d_z,
                Index batch_rows) override;
  /// weight (C, H) and bias (C).
  void for_each_parameter(const std::string& prefix, const ParameterVisitor& visit) override;

 private:
  void compute(ConstMatrixView z) override;
  numerics::Loss loss_of(ConstMatrixView scores, std::span<const std::int32_t> labels) const override;

  Index inputs_;
  Index classes_;
  Weights weight_;
  Weights bias_;     // (1, C)
  Matrix logits_;    // (capacity, C)
  Matrix d_logits_;  // (capacity, C)
};

/// z, which is a distribution over the classes already (a mixture of classifiers); no parameters.
class DistributionHead final : public Head {
 public:
  DistributionHead(Index classes, Presence presence, Index capacity)
      : p_(presence == Presence::here ? capacity : 0, classes) {}

  ConstMatrixView scores() const override { return p_.first_rows(rows()); }
  void backward(ConstMatrixView z, std::span<const std::int32_t> labels, MatrixView d_z,
                Index batch_rows) override;
  void for_each_parameter(const std::string& /*prefix*/, const ParameterVisitor& /*visit*/) override {}

 private:
  void compute(ConstMatrixView z) override;
  numerics::Loss loss_of(ConstMatrixView scores, std::span<const std::int32_t> labels) const override;

  Matrix p_;  // (capacity, C)
};

}  // namespace dmoe::model
