// Bytes of the weights of a network of mixtures: those that a rank holds, and those that a step moves; and
// what the rows of a batch chose of it.
#pragma once

#include "bench/measurement.hpp"
#include "core/types.hpp"
#include "distribution/network.hpp"
#include "model/network_spec.hpp"

namespace dmoe::bench {

/// Bytes of one expert's weights (H, D) of layer l = 0 .. L-1 that a step moves, if it moves them once each
/// time that they are needed: W read forward; W read for dx, above the first layer; dW written; the update
/// reads W and dW and writes W. Local.
Index bytes_moved(const model::NetworkSpec& spec, Index layer);

/// Bytes of the parameters, and of as many gradients, that a rank holds: weights and biases of its experts
/// and, on the coordinator, of the gates and the head. Local.
Index parameter_bytes(const model::NetworkSpec& spec, Index ranks, Index rank);

struct Census {
  Samples rows;              // of each expert of each layer
  Index shapes = 0;          // different padded numbers of rows
  Index chosen_weights = 0;  // bytes moved of the chosen experts' weights; see bytes_moved
};

/// Of the last forward pass; the same on every rank. Local.
Census census_of(distribution::Network& network);

}  // namespace dmoe::bench
