// The rows of one replica's batch, as its network reads them.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "data/dataset.hpp"
#include "distribution/network.hpp"

namespace dmoe::training {

/// Presents a batch: all of it on every rank, or, where ranks gate rows of their own, those at home here and,
/// when the network asks for them, those that chose experts here. Buffers grow to what is needed.
class PresentedBatch final : public distribution::RowSource {
 public:
  /// Both must outlive it. Local.
  PresentedBatch(distribution::Network& network, const data::Dataset& dataset)
      : network_(network), dataset_(dataset) {}

  /// The examples of this replica, which begin with the draw's first. They must stay as they are for as long
  /// as the batch is used. Local.
  void present(data::Split split, std::span<const Index> examples, const data::Draw& draw, bool in_training);
  distribution::Input input();
  /// What was presented: inputs (rows, D), and labels and factors of these.
  const data::Batch& batch() const { return *batch_; }
  ConstMatrixView rows(std::span<const Index> rows) override;

 private:
  /// Puts those into a batch that is made where it is too small.
  void put(std::optional<data::Batch>& batch, std::span<const Index> examples, const data::Draw& draw);

  distribution::Network& network_;
  const data::Dataset& dataset_;
  data::Split split_ = data::Split::train;
  std::span<const Index> examples_;
  data::Draw draw_;
  bool has_all_ = true;
  std::optional<data::Batch> batch_;
  std::optional<data::Batch> others_;
  std::vector<Index> chosen_;  // scratch: the examples of other rows
};

}  // namespace dmoe::training
