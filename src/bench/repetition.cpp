#include "bench/repetition.hpp"

#include <chrono>

namespace dmoe::bench {

double milliseconds_of(const std::function<void()>& body) {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point began = Clock::now();
  body();
  return std::chrono::duration<double, std::milli>(Clock::now() - began).count();
}

std::vector<Samples> in_turn(const comm::Communicator& world, Index repetitions,
                             const std::vector<Task>& tasks, const Stopwatch& stopwatch) {
  std::vector<Samples> samples(tasks.size());
  for (Index repetition = -1; repetition < repetitions; ++repetition) {
    for (std::size_t t = 0; t < tasks.size(); ++t) {
      const Task& task = tasks[t];
      world.barrier();
      if (task.where == Where::coordinator && !world.is_coordinator()) continue;
      const double taken = stopwatch(task.body);
      if (repetition >= 0) samples[t].push_back(taken / static_cast<double>(task.count));
    }
  }
  return samples;
}

}  // namespace dmoe::bench
