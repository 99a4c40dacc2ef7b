// How a mixture layer computes z = sum_i g_i(x) f_i(x) over E ranks: all experts, or those that were chosen.
#pragma once

#include <span>

#include "balance/totals.hpp"
#include "distribution/layer.hpp"
#include "model/expert.hpp"
#include "model/gate.hpp"

namespace dmoe::distribution {

/// The parts of a mixture layer on this rank. They must outlive what mixes them.
struct MixtureParts {
  const comm::Communicator& ranks;
  exchange::Topology topology;
  InputGradient input_gradient;
  Index inputs;   // D
  Index outputs;  // width of z
  Index capacity;
  model::ExpertGroup& experts;
  model::Gate& gate;  // an empty one but on the coordinator

  exchange::ExpertRange range() const { return topology.range(ranks.rank()); }
  bool is_first_layer() const { return input_gradient == InputGradient::skipped; }
};

/// A forward pass, then send_d_output, backward_to_input and backward_to_weights.
class Mixing {
 public:
  virtual ~Mixing() = default;
  Mixing(const Mixing&) = delete;
  Mixing& operator=(const Mixing&) = delete;

  /// Whether every rank needs all of x; else x above the first layer counts on the coordinator.
  virtual bool reads_everywhere() const = 0;
  /// z (B, H), on the coordinator. Collective.
  virtual void forward(ConstMatrixView x, const BatchStep& step, MatrixView z) = 0;
  /// (B, N): the gate values in use, on every rank. Local.
  virtual ConstMatrixView gates() = 0;
  /// Adds the gate values in use of the own experts to totals (N). Local.
  virtual void add_assigned(std::span<balance::Total> totals) = 0;
  /// Rows that all experts together work on. Local.
  virtual Index expert_rows() const = 0;

  /// Starts to send dz, which counts on the coordinator, where it is needed. Collective.
  virtual void send_d_output(exchange::SharedMatrix& d_z) = 0;
  /// dx into d_x (B, D) on the coordinator, where it is wanted. Collective.
  virtual void backward_to_input(exchange::SharedMatrix& d_z, MatrixView d_x) = 0;
  /// x as in the forward pass. Collective.
  virtual void backward_to_weights(ConstMatrixView x, exchange::SharedMatrix& d_z) = 0;

 protected:
  explicit Mixing(const MixtureParts& parts)
      : parts_(parts),
        d_gate_input_(parts.is_first_layer() || !parts.ranks.is_coordinator() ? 0 : parts.capacity,
                      parts.inputs) {}
  const comm::Communicator& ranks() const { return parts_.ranks; }
  const MixtureParts& parts() const { return parts_; }
  /// (B, D) for the gate's share of dx on the coordinator; no rows where dx is not wanted.
  MatrixView d_gate_input(Index rows) {
    return parts_.is_first_layer() ? MatrixView{} : d_gate_input_.first_rows(rows);
  }
  /// x reaches the loss through the experts and through the gate: dx is the sum of both paths.
  void add_gate_share(MatrixView d_x) {
    if (parts_.is_first_layer() || !ranks().is_coordinator()) return;
    const auto gate_share = d_gate_input_.first_rows(d_x.rows).values();
    for (std::size_t i = 0; i < gate_share.size(); ++i) d_x.data[i] += gate_share[i];
  }

 private:
  MixtureParts parts_;
  Matrix d_gate_input_;
};

}  // namespace dmoe::distribution
