// Machines on which one thing alone takes time.
#pragma once

#include "scale/machine.hpp"

namespace dmoe::test {

constexpr double no_limit = 1e30;  // bytes a second

/// On which nothing takes time, as far as it shows beside 1.
inline scale::Machine idle_machine() {
  scale::Machine machine;
  machine.forward = machine.input_gradient = machine.weight_gradient = {{1}, {1}, {1}, {1e-30}};
  machine.memory_bandwidth = no_limit;
  machine.inner = machine.outer = {0, no_limit, 0};
  return machine;
}

/// A multiply-add takes a second.
inline scale::Machine multiplying_machine() {
  scale::Machine machine = idle_machine();
  machine.forward.seconds = machine.input_gradient.seconds = machine.weight_gradient.seconds = {1};
  return machine;
}

/// A message takes a second, however long it is.
inline scale::Machine waiting_machine() {
  scale::Machine machine = idle_machine();
  machine.inner.latency = machine.outer.latency = 1;
  return machine;
}

}  // namespace dmoe::test
