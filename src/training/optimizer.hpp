// Stochastic gradient descent, on every rank for what it owns.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "distribution/network.hpp"

namespace dmoe::training {

/// v <- momentum v + (scale gradient + weight_decay w); w <- w - rate v, for every parameter, biases
/// included. Plain SGD keeps no v, and does not touch the weights of experts without rows.
class Sgd {
 public:
  Sgd(distribution::Network& network, double momentum, double weight_decay);

  /// One update with the gradients of the last backward pass, multiplied by `scale`. Returns the name of the
  /// first tensor whose gradient was not finite. Local.
  std::optional<std::string> step(double rate, float scale = 1);

  /// Visits the velocity v of every parameter, under the parameter's name, the same list on every rank;
  /// nothing for plain SGD. Local.
  void for_each_velocity(const model::ParameterVisitor& visit);

 private:
  struct Slot {
    model::Parameter parameter;
    std::vector<float> velocity;  // empty where momentum is 0
  };
  /// Visits the values [first, end) that a step without momentum changes: those of experts that had rows, or
  /// all where weights decay.
  template <class Visit>
  void for_each_moving_part(const model::Parameter& parameter, Visit visit) const;

  float momentum_;
  float weight_decay_;
  std::vector<Slot> slots_;
};

}  // namespace dmoe::training
