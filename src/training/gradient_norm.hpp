// The length of the gradient over all parameters of all ranks: the same bits for any sharding.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "distribution/network.hpp"

namespace dmoe::training {

/// Each part of a tensor that one rank always holds whole (an expert's rows, a gate's tensor) is squared and
/// summed by its owner; one all-reduce gives every rank the sums of all parts, which it adds in one order.
class GradientNorm {
 public:
  /// The network must outlive it. Local.
  explicit GradientNorm(distribution::Network& network);

  /// Of the last backward pass, over the whole batch. Collective over all replicas.
  double operator()();

 private:
  struct Part {
    Index slot;
    std::span<const float> gradient;
  };
  distribution::Network& network_;
  std::vector<Part> own_;
  std::vector<std::int64_t>
      sums_;  // of all parts: the bits of a double, from its owner, and 0 from all others
};

}  // namespace dmoe::training
