// Stochastic gradient descent, on every rank for what it owns.
#pragma once

#include <vector>

#include "distribution/network.hpp"

namespace dmoe::training {

/// v <- momentum v + (gradient + weight_decay w); w <- w - rate v, for every parameter, biases included.
/// Plain SGD keeps no v.
class Sgd {
 public:
  Sgd(distribution::Network& network, double momentum, double weight_decay);

  /// One update with the gradients of the last backward pass. Local.
  void step(double rate);

 private:
  struct Slot {
    std::span<float> values;
    std::span<const float> gradient;
    std::vector<float> velocity;  // empty where momentum is 0
  };
  float momentum_;
  float weight_decay_;
  std::vector<Slot> slots_;
};

}  // namespace dmoe::training
