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
  Index capacity;                   // rows of the largest batch
  Index gradient_blocks = 1;        // in which sums over slices are held

  model::Presence presence() const {
    return ranks.is_coordinator() ? model::Presence::here : model::Presence::elsewhere;
  }
};

/// What a layer is told of a batch besides x.
struct BatchStep {
  std::span<const std::uint8_t> masked;               // (N), nonzero: left out
  std::optional<model::Presentation> presentation{};  // in training: where noise comes from
  const model::Slices& slices = model::Slices::whole();
};

/// z from x, dx from dz. Both z and dz stand on the coordinator; whatever else a kind needs of them it sends
/// itself. One backward pass belongs to one forward pass.
class Layer {
 public:
  virtual ~Layer() = default;
  Layer(const Layer&) = delete;
  Layer& operator=(const Layer&) = delete;

  /// Whether forward and backward read x (B, D) on every rank; else on the coordinator alone.
  virtual bool reads_everywhere() = 0;
  /// z (B, H) on the coordinator, from x (B, D). Collective over the ranks.
  virtual void forward(ConstMatrixView x, const BatchStep& step) = 0;
  /// z on the coordinator, the message buffer for it elsewhere; shared by the layer above where that reads it
  /// everywhere.
  exchange::SharedMatrix& output() { return output_; }
  /// This layer's gate and what it chose; null where it has none. Local.
  virtual Mixture* mixture() { return nullptr; }

  /// dLoss/dz (B, H), for the coordinator to fill before ship_d_output().
  MatrixView d_output() { return d_output_.matrix(rows_); }
  /// Starts to send dz where it is needed. Collective over the ranks.
  virtual void ship_d_output() = 0;
  /// x is the memory of the forward pass, untouched since. All gradients of the layer from dz, and dx on the
  /// coordinator into d_x (B, D) where it is wanted (else, and on other ranks, d_x is not touched). `ship`
  /// runs on every rank once dx stands, before the weight gradients, so that the layer below need not wait
  /// for those. Collective over the ranks.
  template <class Ship>
  void backward(ConstMatrixView x, MatrixView d_x, Ship ship) {
    backward_to_input(d_x);
    ship();
    backward_to_weights(x);
  }

  /// Visits the layer's parameters below `prefix`, the same list on every rank. Local.
  virtual void for_each_parameter(const std::string& prefix, const model::ParameterVisitor& visit) = 0;

 protected:
  Layer(const Making& making, Index output_width)
      : ranks_(&making.ranks),
        output_(making.ranks, making.capacity, output_width),
        d_output_(making.ranks, making.capacity, output_width) {}

  virtual void backward_to_input(MatrixView d_x) = 0;
  virtual void backward_to_weights(ConstMatrixView x) = 0;

  const comm::Communicator& ranks() const { return *ranks_; }
  exchange::SharedMatrix& shared_d_output() { return d_output_; }
  Index rows_ = 0;  // B of the last forward pass

 private:
  const comm::Communicator* ranks_;
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
