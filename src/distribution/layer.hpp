// One layer of a network over E ranks, of any kind.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "comm/communicator.hpp"
#include "distribution/mixture.hpp"
#include "exchange/dense_exchange.hpp"
#include "exchange/homes.hpp"
#include "exchange/topology.hpp"
#include "model/network_spec.hpp"
#include "model/parameters.hpp"
#include "model/routing.hpp"
#include "model/slices.hpp"

namespace dmoe::distribution {

/// Whether a backward pass needs dx: not in the first layer.
enum class InputGradient { wanted, skipped };
inline InputGradient input_gradient_of(Index layer) {
  return layer == 0 ? InputGradient::skipped : InputGradient::wanted;
}

/// What the parts of a network on this rank are made for.
struct Making {
  const comm::Communicator& ranks;  // must outlive them
  std::uint64_t seed;               // of the weights, which are the same for any number of ranks
  Index home_capacity;              // the most rows that are at home here
  Index gradient_blocks = 1;        // in which sums over slices are held
  Index gate_gradient_blocks = 1;   // the same of what works on rows at home
  exchange::Gating gating = exchange::Gating::coordinator;

  /// Of what works on rows at home.
  model::Presence presence() const {
    return ranks.is_coordinator() || gating == exchange::Gating::rows ? model::Presence::here
                                                                      : model::Presence::elsewhere;
  }
};

/// Presents any rows of the replica's batch: where not all that a rank reads are at hand.
class RowSource {
 public:
  RowSource() = default;
  virtual ~RowSource() = default;
  RowSource(const RowSource&) = delete;
  RowSource& operator=(const RowSource&) = delete;
  /// (n, D) of these rows, ascending; until the next call. Local.
  virtual ConstMatrixView rows(std::span<const Index> rows) = 0;
};

/// What a layer is told of a batch of B rows besides x.
struct BatchStep {
  std::span<const std::uint8_t> masked;                       // (N), nonzero: left out
  const exchange::Homes& homes;                               // of its rows
  exchange::Reach reach = exchange::Reach::home;              // where z is needed
  std::optional<model::Presentation> presentation{};          // in training: where noise comes from
  const model::Slices& slices = model::Slices::whole();       // for experts
  const model::Slices& gate_slices = model::Slices::whole();  // for what works on rows at home, those here
  RowSource* source = nullptr;  // of the first layer, where x has no more than the rows at home
};

/// z from x, dx from dz. Rows of z and dz stand where they are at home (exchange/homes.hpp): with the
/// coordinator, or each rank has its own; whatever else a kind needs of them it sends itself. One backward
/// pass belongs to one forward pass.
class Layer {
 public:
  virtual ~Layer() = default;
  Layer(const Layer&) = delete;
  Layer& operator=(const Layer&) = delete;

  /// Whether forward and backward read all rows of x on every rank; else those at home.
  virtual bool reads_everywhere() = 0;
  /// Whether dz, too, is sent to every rank as it is.
  virtual bool shares_d_output() { return reads_everywhere(); }
  /// z (rows at home, H) from x (., D), which has the rows that it reads, or of the first layer those at home
  /// where it has a source of others.
  /// Collective over the ranks.
  void forward(const exchange::BatchRows& x, const BatchStep& step);
  /// z at home, from where it is shared where the layer above reads it everywhere.
  exchange::SharedMatrix& output() { return output_; }
  /// This layer's gate and what it chose; null where it has none. Local.
  virtual Mixture* mixture() { return nullptr; }

  /// dLoss/dz (rows at home, H), to be filled before ship_d_output().
  MatrixView d_output() { return d_output_.own(); }
  /// Starts to send dz where it is needed. Collective over the ranks.
  virtual void ship_d_output() = 0;
  /// x is the memory of the forward pass, untouched since. All gradients of the layer from dz, and dx into
  /// d_x (rows at home, D) where it is wanted (else d_x is not touched). `ship` runs on every rank once dx
  /// stands, before the weight gradients, so that the layer below need not wait for those. Collective over
  /// the ranks.
  template <class Ship>
  void backward(const exchange::BatchRows& x, MatrixView d_x, Ship ship) {
    backward_to_input(d_x);
    ship();
    backward_to_weights(x);
  }

  /// Visits the layer's parameters below `prefix`, the same list on every rank. Local.
  virtual void for_each_parameter(const std::string& prefix, const model::ParameterVisitor& visit) = 0;

 protected:
  Layer(const Making& making, Index output_width)
      : ranks_(&making.ranks), output_(making.ranks, output_width), d_output_(making.ranks, output_width) {}

  virtual void compute(const exchange::BatchRows& x, const BatchStep& step) = 0;
  virtual void backward_to_input(MatrixView d_x) = 0;
  virtual void backward_to_weights(const exchange::BatchRows& x) = 0;

  const comm::Communicator& ranks() const { return *ranks_; }
  exchange::SharedMatrix& shared_d_output() { return d_output_; }
  /// Of the last forward pass.
  const exchange::Homes& homes() const { return *homes_; }

 private:
  const comm::Communicator* ranks_;
  const exchange::Homes* homes_ = nullptr;
  exchange::SharedMatrix output_;    // (B, H)
  exchange::SharedMatrix d_output_;  // (B, H)
};

/// Who owns which expert of layer l = 0 .. L-1. Local.
inline exchange::Topology topology_of(const model::NetworkSpec& spec, Index layer,
                                      const comm::Communicator& ranks) {
  return {spec.layers[size(layer)].experts, ranks.size()};
}

/// Layer l = 0 .. L-1 of a network. Local.
std::unique_ptr<Layer> make_layer(const model::NetworkSpec& spec, Index layer, const Making& making);

}  // namespace dmoe::distribution
