// What the same bits on any grid of ranks rest on, tried at the start on this machine, with these libraries.
#pragma once

#include "comm/communicator.hpp"

namespace dmoe::training {

/// Throws RunError on all ranks where integers are not summed right, or where a row of a product depends on
/// the rows beside it although the instruction set is one with which it does not. Some milliseconds, once a
/// process. Collective.
void self_test(const comm::Communicator& world);

}  // namespace dmoe::training
