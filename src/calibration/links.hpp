// How messages travel between ranks.
#pragma once

#include "comm/communicator.hpp"
#include "scale/machine.hpp"

namespace dmoe::calibration {

/// Between rank 0 and `peer`, on the coordinator: from messages to and fro of 4 bytes (latency), of 64 KiB
/// and 1 MiB (bandwidth), and from bursts (overhead); the shortest of each, since a rank that waits for its
/// core makes messages longer and never shorter. Collective.
scale::Link measure_link(const comm::Communicator& world, int peer, Index repetitions);

/// Seconds of an all-reduce of 16 integers, the shortest. Collective.
double measure_all_reduce(const comm::Communicator& world, Index repetitions);

}  // namespace dmoe::calibration
