// Stochastic gradient descent, on every rank for what it owns.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "distribution/network.hpp"
#include "training/rate_history.hpp"

namespace dmoe::training {

/// Learning rates of one step.
struct Rates {
  explicit Rates(double all) : Rates(all, all) {}
  Rates(double others, double gated_experts) : rest(others), experts(gated_experts) {}
  double rest;
  double experts;  // of those that a gate shares the examples out to
};

/// v <- momentum v + (scale gradient + weight_decay w); w <- w - rate v, for every parameter, biases
/// included. Plain SGD keeps no v.
///
/// A step touches no expert that had no rows. With momentum or decay such an expert falls behind, and takes
/// the steps that it skipped, all at once, before the network uses it again: the bits of an optimiser that
/// never skips, for one pass over its memory.
///
/// Where several ranks hold a parameter, each steps what it owns of it (exchange/replica_exchange.hpp),
/// without skipping, and sends the others the weights. It alone has the velocity of that.
class Sgd {
 public:
  /// The network must outlive it, and has one optimiser at a time. Local.
  Sgd(distribution::Network& network, double momentum, double weight_decay);
  /// Catches up.
  ~Sgd();
  Sgd(const Sgd&) = delete;
  Sgd& operator=(const Sgd&) = delete;

  /// One update with the gradients of the last backward pass, multiplied by `scale`. Returns the name of the
  /// first tensor whose gradient was not finite. Collective over all replicas.
  std::optional<std::string> step(Rates rates, float scale = 1);

  /// Leaves no expert behind: for whoever reads weights other than through the network's passes. Local.
  void catch_up();

  /// Before velocities are saved: brings together on replica 0 what others own. Collective over all replicas.
  void collect_velocities();
  /// Visits the velocity v of every parameter, whole, under the parameter's name, the same list on every
  /// rank; nothing for plain SGD. Catches up. To be read where replicas have been collected, on replica 0;
  /// what is written is taken over by any. Local.
  void for_each_velocity(const model::ParameterVisitor& visit);

 private:
  /// What is owned of a tensor: one block for each expert, or a single one.
  struct Tensor {
    model::Parameter parameter;
    std::size_t first;                // of its values is the first that is owned
    std::span<float> values;          // that are owned
    std::span<float> gradient;        // of these
    std::vector<float> velocity;      // of these; empty where momentum is 0
    std::vector<Index> steps_taken;   // (blocks)
    model::ExpertActivity* activity;  // of the experts that the blocks are; null where nothing is skipped
    Index blocks() const { return static_cast<Index>(steps_taken.size()); }
    bool is_gated() const { return parameter.activity != nullptr && parameter.activity->is_gated; }
    bool rests(Index block) const { return activity != nullptr && activity->has_gradient[size(block)] == 0; }
    /// The values of a block, of the weights or of what is as long.
    std::span<float> part(std::span<float> all, Index block) const {
      const std::size_t length = all.size() / steps_taken.size();
      return all.subspan(size(block) * length, length);
    }
  };
  bool is_plain() const { return momentum_ == 0 && weight_decay_ == 0; }
  void catch_up(Tensor& tensor, Index block);

  distribution::Network& network_;
  float momentum_;
  float weight_decay_;
  float zero_;  // added to a gradient: +0 turns the -0 of one order of adding slices into that of any, -0
                // does nothing
  std::vector<Tensor> tensors_;
  std::vector<std::vector<float>> collected_;  // whole velocities, while they are being saved
  RateHistory rates_;  // of gated experts, in the steps that some of them may have skipped
};

}  // namespace dmoe::training
