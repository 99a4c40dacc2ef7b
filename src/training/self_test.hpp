// What the same bits on any grid of ranks rest on, tried at the start on this machine, with these libraries.
#pragma once

#include "comm/communicator.hpp"

namespace dmoe::training {

/// Throws RunError on all ranks where integers are not summed right. Microseconds, once a process.
/// Collective.
void self_test(const comm::Communicator& world);

}  // namespace dmoe::training
