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
class Sgd {
 public:
  /// The network must outlive it, and has one optimiser at a time. Local.
  Sgd(distribution::Network& network, double momentum, double weight_decay);
  /// Catches up.
  ~Sgd();
  Sgd(const Sgd&) = delete;
  Sgd& operator=(const Sgd&) = delete;

  /// One update with the gradients of the last backward pass, multiplied by `scale`. Returns the name of the
  /// first tensor whose gradient was not finite. Local.
  std::optional<std::string> step(Rates rates, float scale = 1);

  /// Leaves no expert behind: for whoever reads weights other than through the network's passes. Local.
  void catch_up();

  /// Visits the velocity v of every parameter, under the parameter's name, the same list on every rank;
  /// nothing for plain SGD. Catches up. Local.
  void for_each_velocity(const model::ParameterVisitor& visit);

 private:
  /// A tensor, in one block for each expert or in a single one.
  struct Tensor {
    model::Parameter parameter;
    std::vector<float> velocity;     // empty where momentum is 0
    std::vector<Index> steps_taken;  // (blocks)
    Index blocks() const { return static_cast<Index>(steps_taken.size()); }
    bool is_gated() const { return parameter.activity != nullptr && parameter.activity->is_gated; }
    bool rests(Index block) const {
      return parameter.activity != nullptr && parameter.activity->has_gradient[size(block)] == 0;
    }
    /// The values of a block, of the weights or of what is as long.
    std::span<float> part(std::span<float> all, Index block) const {
      const std::size_t length = all.size() / steps_taken.size();
      return all.subspan(size(block) * length, length);
    }
  };
  bool is_plain() const { return momentum_ == 0 && weight_decay_ == 0; }
  void catch_up(Tensor& tensor, Index block);

  float momentum_;
  float weight_decay_;
  std::vector<Tensor> tensors_;
  RateHistory rates_;  // of gated experts, in the steps that some of them may have skipped
};

}  // namespace dmoe::training
