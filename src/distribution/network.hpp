// The whole network over E ranks, and its replicas: x -> z_1 -> .. -> z_L -> the classes.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "comm/communicator.hpp"
#include "distribution/layer.hpp"
#include "distribution/mixture.hpp"
#include "exchange/grid.hpp"
#include "exchange/replica_exchange.hpp"
#include "model/head.hpp"
#include "model/network_spec.hpp"
#include "numerics/linear.hpp"

namespace dmoe::distribution {

/// One mask per layer, of as many experts as its gate chooses among: which ones are left out.
using Masks = std::vector<std::span<const std::uint8_t>>;

/// What a network sees of a batch of one replica.
struct Input {
  /// (B, D): all of it.
  Input(ConstMatrixView all) : x(all), rows(all.rows) {}  // NOLINT(google-explicit-constructor)
  Input(MatrixView all) : Input(ConstMatrixView(all)) {}  // NOLINT(google-explicit-constructor)
  /// The rows at home here, of B; others are presented where they are needed.
  Input(ConstMatrixView at_home, Index of, RowSource& others) : x(at_home), rows(of), source(&others) {}
  ConstMatrixView x;
  Index rows;  // B
  RowSource* source = nullptr;
};

/// A Deep Mixture of Experts, or a baseline: experts on their owners, gates, head and loss where rows are at
/// home (exchange/homes.hpp). Every rank presents what it reads of x, so nothing is sent for the first layer.
/// One backward pass belongs to one forward pass. Each replica on its ranks takes its own rows of a batch in
/// training; the gradients are those of all rows.
class Network {
 public:
  /// Weights from the seed, the same for any number of ranks; buffers for batches of up to `capacity` rows.
  /// Throws InputError where a rank would have nothing to do, with more ranks of a replica than experts in
  /// every sharded layer, or where this CPU has no such products.
  /// Its products are computed in this arithmetic, whatever is in force elsewhere. The world of the grid must
  /// outlive the network. Local.
  Network(const model::NetworkSpec& spec, const exchange::Grid& grid, std::uint64_t seed, Index capacity,
          const numerics::Arithmetic& arithmetic = numerics::arithmetic_in_force());

  /// Whether no more need be presented than the rows at home and those that choose experts here: not where
  /// the first layer reads all. Local.
  bool presents_own_rows();
  /// Which of `rows` rows of this replica are at home here. Local.
  model::RowRange rows_at_home(Index rows, bool in_training);
  /// scores where rows are at home, and gates (mixture.hpp), from x (B, D); in training also which
  /// presentations the rows are, and the rows are then cut into slices. Collective over the ranks.
  void forward(const Input& x, const Masks& masks,
               const std::optional<model::Presentation>& presentation = {});
  /// Gradients of the mean cross-entropy of a batch of `batch_rows` rows, of which those with labels (B, or
  /// of the rows at home here) are this replica's, into what this rank owns of every parameter. Returns the
  /// loss of the rows at home here. x is the memory of the forward pass, untouched since. Collective over all
  /// replicas.
  numerics::Loss backward(ConstMatrixView x, std::span<const std::int32_t> labels, Index batch_rows);
  /// Of one replica's batch. Collective over the ranks.
  numerics::Loss backward(ConstMatrixView x, std::span<const std::int32_t> labels) {
    return backward(x, labels, homes_->rows());
  }
  /// The loss of the last forward pass, of the rows at home here. Local.
  numerics::Loss loss(std::span<const std::int32_t> labels);
  /// The same of the last backward pass or loss(), of each slice of the gate that is at home here. Local.
  std::span<const numerics::Loss> slice_losses() const;
  /// The lowest layer = 0 .. L-1 whose z of the last forward pass is not all finite in the rows at home here,
  /// else L. Local.
  Index first_layer_not_finite();
  /// (rows at home, C): the logits, or the probabilities of a mixture of classifiers.
  ConstMatrixView scores() const { return head_->scores(); }
  /// Those slices of the last forward pass.
  const model::Slices& gate_slices() const { return *gate_slices_; }

  /// Layer = 0 .. L-1 where it is a mixture, on every rank; else null. Local.
  Mixture* mixture(Index layer) { return layers_[size(layer)]->mixture(); }
  /// (rows, N_l): the gates in use, layer = 0 .. L-1, of the rows that this rank was told of (mixture.hpp);
  /// no columns in a layer without a gate. Local.
  ConstMatrixView gates(Index layer);
  /// Rows that the experts of layer = 0 .. L-1 together worked on in the last forward pass: N_l B where all
  /// of them take part. Local.
  Index expert_rows(Index layer);

  /// Visits every parameter, the same list in the same order on every rank. Local.
  void for_each_parameter(const model::ParameterVisitor& visit);

  /// What this rank is to step of parameter p in that order, and the gradient of that. Local.
  exchange::OwnedPart owned(std::size_t p) const;
  /// Whether other ranks hold the same of it. Local.
  bool is_shared(std::size_t p) const { return shared_[p].exchange != nullptr; }
  /// Whether collect() brings it here. Local.
  bool collects(std::size_t p) const { return is_shared(p) && shared_[p].exchange->is_first(); }
  /// Sums the gradients of a backward pass, which has called it, into what each rank owns. Collective over
  /// all replicas.
  void sum_gradients();
  /// Gives all who hold them the gradients, whole, after a backward pass. Collective over all replicas.
  void share_gradients();
  /// Gives them the weights that their owners have stepped. Collective over all replicas.
  void share_weights();
  /// Where collects(p), whole[p] := the values of parameter p, as long, of whose owned part every rank has
  /// own[p]. Collective over all replicas.
  void collect(const std::vector<std::span<const float>>& own, std::vector<std::vector<float>>& whole);
  /// The rank of the world whose weights are not those of most that hold the same, or, of two, of the
  /// first; where this rank holds them too. Collective over all replicas.
  std::optional<int> differing_rank() const;

  const model::NetworkSpec& spec() const { return spec_; }
  const exchange::Grid& grid() const { return grid_; }
  /// The ranks of this replica.
  const comm::Communicator& ranks() const { return grid_.group(); }
  /// Masks that leave no expert out, for evaluation.
  Masks no_masks() const;

 private:
  /// Which exchange brings a parameter's holders together, and its number there.
  struct Shared {
    exchange::ReplicaExchange* exchange = nullptr;  // none: held here alone
    std::size_t number = 0;
  };
  /// How the rows of a batch are shared out.
  struct Rows {
    exchange::Homes homes;
    model::Slices gate_slices;
  };
  const Rows& rows_of(Index rows, bool in_training);
  void make_exchanges();
  /// The input of a layer: x, or the z below it, waiting for it where it is still on the way.
  exchange::BatchRows input(Index layer, ConstMatrixView x);
  Index first_row_ = 0;  // of x in the last forward pass
  /// Labels of the rows at home here.
  std::span<const std::int32_t> at_home(std::span<const std::int32_t> labels) const;

  model::NetworkSpec spec_;
  exchange::Grid grid_;
  numerics::Arithmetic arithmetic_;
  std::map<Index, Rows> training_rows_;  // of batches of so many rows
  std::map<Index, Rows> evaluation_rows_;
  const exchange::Homes* homes_ = nullptr;  // of the last forward pass
  const model::Slices* gate_slices_ = &model::Slices::whole();
  std::vector<std::unique_ptr<Layer>> layers_;
  std::unique_ptr<model::Head> head_;
  std::vector<std::span<float>> gradients_;  // of the parameters
  std::vector<std::unique_ptr<exchange::ReplicaExchange>> exchanges_;
  std::vector<Shared> shared_;  // of the parameters
  std::vector<std::uint8_t> nobody_masked_;
};

}  // namespace dmoe::distribution
