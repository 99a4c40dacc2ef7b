// Where a rank's time goes. The rows of /launches/s/timing in run.h5.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <string_view>
#include <type_traits>
#include <utility>

#include "core/simulation.hpp"

namespace dmoe {

/// What a rank does; from `gate` on parts of what it computes.
enum class Activity { compute, communication, waiting, data, io, gate, experts, packing, optimizer };
inline constexpr std::array<std::string_view, 5> activity_names{"compute", "communication", "waiting", "data",
                                                                "io"};
inline constexpr std::array<std::string_view, 4> part_names{"gate", "experts", "packing", "optimizer"};
/// In these orders: activities, which add up to the time, then the parts of the first of them.
using ActivitySeconds = std::array<double, activity_names.size() + part_names.size()>;
/// Of all activities. Local.
inline double total(const ActivitySeconds& seconds) {
  double sum = 0;
  for (std::size_t a = 0; a < activity_names.size(); ++a) sum += seconds[a];
  return sum;
}

/// Seconds of one rank by activity. Invariant: exactly one activity is running at any time, so the seconds
/// add up to the time since construction.
class Timing {
 public:
  using Clock = std::conditional_t<simulation::is_on, simulation::Clock, std::chrono::steady_clock>;

  /// Ends the running activity and starts another; returns the one that ended. Local.
  Activity switch_to(Activity next) {
    const Clock::time_point now = Clock::now();
    seconds_[static_cast<std::size_t>(running_)] += std::chrono::duration<double>(now - since_).count();
    since_ = now;
    return std::exchange(running_, next);
  }
  /// Seconds up to now. Local.
  ActivitySeconds seconds() {
    switch_to(running_);
    ActivitySeconds seconds = seconds_;
    for (std::size_t part = activity_names.size(); part < seconds.size(); ++part)
      seconds[static_cast<std::size_t>(Activity::compute)] += seconds[part];
    return seconds;
  }

 private:
  ActivitySeconds seconds_{};
  Activity running_ = Activity::compute;
  Clock::time_point since_ = Clock::now();
};

/// Runs an activity for the life of the object, then goes back to the one before.
class TimedActivity {
 public:
  TimedActivity(Timing& timing, Activity activity) : timing_(timing), before_(timing.switch_to(activity)) {}
  ~TimedActivity() { timing_.switch_to(before_); }
  TimedActivity(const TimedActivity&) = delete;
  TimedActivity& operator=(const TimedActivity&) = delete;

 private:
  Timing& timing_;
  Activity before_;
};

}  // namespace dmoe
