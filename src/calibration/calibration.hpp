// Measures the constants of the model of scale on this machine.
#pragma once

#include <string>
#include <vector>

#include "comm/communicator.hpp"
#include "scale/machine.hpp"

namespace dmoe::calibration {

/// Which products are measured, and how often each.
struct Plan {
  std::vector<Index> rows{1, 8, 16, 32, 64, 128, 512, 2048};
  std::vector<Index> outputs{10, 50, 100, 256};
  std::vector<Index> inputs{50, 128, 1296};
  Index repetitions = 7;
};

struct Measured {
  scale::Machine machine;
  bool has_inner = false;  // links were measured; else they are those of the default machine
  bool has_outer = false;
  double all_reduce = 0;  // seconds of a small one over all ranks; what the model says is beside it
  double all_reduce_model = 0;
};

/// Constants on the coordinator: medians of computing, in the processor's own time, so that other jobs on it
/// count little. All ranks compute at once, as in a step: cores of a node that share caches and memory are
/// slower together. Of more than one rank the links too: between ranks 0 and 1, and, where `hosts`, the name
/// of each rank's host, differ, between rank 0 and the first on another host. Collective.
Measured measure(const comm::Communicator& world, const std::vector<std::string>& hosts,
                 const std::string& name, const Plan& plan = {});

}  // namespace dmoe::calibration
