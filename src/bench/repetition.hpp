// Measurements taken in turn: one repetition runs each task once, so that what is compared stood side by side
// on a noisy machine.
#pragma once

#include <functional>
#include <vector>

#include "bench/measurement.hpp"
#include "comm/communicator.hpp"

namespace dmoe::bench {

/// Milliseconds that `body` takes. Local.
double milliseconds_of(const std::function<void()>& body);
/// Runs a body and says how long it took.
using Stopwatch = std::function<double(const std::function<void()>& body)>;

enum class Where { coordinator, everywhere };

struct Task {
  Where where;
  Index count;                 // of what is measured, done by one run of the body
  std::function<void()> body;  // collective where it runs everywhere
};

/// Of each task the milliseconds of one of its `count`, a sample a repetition, on this rank; no samples
/// elsewhere where the coordinator alone runs it. All ranks begin a task together. A first repetition warms
/// up and does not count. Collective.
std::vector<Samples> in_turn(const comm::Communicator& world, Index repetitions,
                             const std::vector<Task>& tasks, const Stopwatch& stopwatch = milliseconds_of);

}  // namespace dmoe::bench
