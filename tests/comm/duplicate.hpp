// A communicator of a test's own.
#pragma once

#include <vector>

#include "comm/communicator.hpp"
#include "comm/native.hpp"
#include "support/world.hpp"

namespace dmoe::test {

/// The ranks of the world under a new communicator, with counters at zero; without mpirun a local one.
/// Collective over the world.
inline comm::Communicator duplicate_of_world() {
  return world().is_local() ? comm::Communicator::local() : comm::duplicate_of(comm::native_of(world()));
}

/// All ranks of the world but this one. Local.
inline std::vector<int> peers() {
  std::vector<int> ranks;
  for (int rank = 0; rank < world().size(); ++rank) {
    if (rank != world().rank()) ranks.push_back(rank);
  }
  return ranks;
}

}  // namespace dmoe::test
