// How a mixture layer computes z = sum_i g_i(x) f_i(x) over E ranks: all experts, or those that were chosen.
#pragma once

#include <span>

#include "balance/totals.hpp"
#include "core/simulation.hpp"
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
  model::ExpertGroup& experts;
  model::Gate& gate;  // an empty one where no rows are at home

  exchange::ExpertRange range() const { return topology.range(ranks.rank()); }
  bool is_first_layer() const { return input_gradient == InputGradient::skipped; }
};

/// A forward pass, then send_d_output, backward_to_input and backward_to_weights.
class Mixing {
 public:
  virtual ~Mixing() = default;
  Mixing(const Mixing&) = delete;
  Mixing& operator=(const Mixing&) = delete;

  /// Whether every rank needs all of x and dz; else those rows above the first layer that are at home.
  virtual bool reads_everywhere() const = 0;
  /// z (rows at home, H). Collective.
  virtual void forward(const exchange::BatchRows& x, const BatchStep& step, MatrixView z) = 0;
  /// (rows, N): the gate values in use of the rows that this rank was told of (mixture.hpp). Local.
  virtual ConstMatrixView gates() = 0;
  /// Adds the gate values in use of the own experts to totals (N). Local.
  virtual void add_assigned(std::span<balance::Total> totals) = 0;
  /// Of those rows, those that all experts together work on. Local.
  virtual Index expert_rows() = 0;

  /// Starts to send dz, rows at home, where it is needed. Collective.
  virtual void send_d_output(exchange::SharedMatrix& d_z) = 0;
  /// dx into d_x (rows at home, D), where it is wanted. Collective.
  virtual void backward_to_input(exchange::SharedMatrix& d_z, MatrixView d_x) = 0;
  /// x as in the forward pass. Collective.
  virtual void backward_to_weights(const exchange::BatchRows& x, exchange::SharedMatrix& d_z) = 0;

 protected:
  explicit Mixing(const MixtureParts& parts) : parts_(parts), d_gate_input_(parts.inputs) {}
  const comm::Communicator& ranks() const { return parts_.ranks; }
  const MixtureParts& parts() const { return parts_; }
  TimedActivity timed(Activity activity) const { return {parts_.ranks.timing(), activity}; }
  /// Work of the gate, where rows are at home here.
  template <class Work>
  void with_gate(const exchange::Homes& homes, const Work& work) {
    if (!homes.has_gates()) return;
    const TimedActivity gating = timed(Activity::gate);
    work(parts_.gate);
  }
  /// Work of the own experts.
  template <class Work>
  void with_experts(const Work& work) {
    const TimedActivity computing = timed(Activity::experts);
    work(parts_.experts);
  }
  /// (rows at home, D) for the gate's share of dx; no rows where dx is not wanted.
  MatrixView d_gate_input(const exchange::Homes& homes) {
    return parts_.is_first_layer() ? MatrixView{} : d_gate_input_.rows(homes.own().count);
  }
  /// x reaches the loss through the experts and through the gate: dx is the sum of both paths.
  void add_gate_share(MatrixView d_x) {
    if (parts_.is_first_layer()) return;
    const auto gate_share = d_gate_input_.rows_from(0, d_x.rows).values();
    const auto bytes = static_cast<Index>(gate_share.size_bytes());
    simulation::work_on_numbers(simulation::Unit::byte, 3 * bytes, [&] {
      for (std::size_t i = 0; i < gate_share.size(); ++i) d_x.data[i] += gate_share[i];
    });
  }

 private:
  MixtureParts parts_;
  GrowingMatrix d_gate_input_;
};

}  // namespace dmoe::distribution
