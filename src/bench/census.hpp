// What the rows of a batch chose of a routed network.
#pragma once

#include "bench/measurement.hpp"
#include "distribution/network.hpp"

namespace dmoe::bench {

struct Census {
  Samples rows;              // of each expert of each layer
  Index shapes = 0;          // different padded numbers of rows
  Index chosen_weights = 0;  // bytes moved of the chosen experts' weights; see bytes_moved
};

/// Of the last forward pass; the same on every rank. Local.
Census census_of(distribution::Network& network);

}  // namespace dmoe::bench
