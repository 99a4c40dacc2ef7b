// Learning-rate schedules: the rate of every epoch of a phase.
#pragma once

#include "core/registry.hpp"
#include "core/types.hpp"

namespace dmoe::training {

class Schedule {
 public:
  Schedule() = default;
  virtual ~Schedule() = default;
  Schedule(const Schedule&) = delete;
  Schedule& operator=(const Schedule&) = delete;

  /// The rate of epoch e = 0 .. epochs-1 of a phase of `epochs`. Local.
  virtual double rate(Index epoch, Index epochs) const = 0;
};

using ScheduleRegistry = Registry<Schedule>;

/// Every schedule that learning_rate.schedule can select. Local.
ScheduleRegistry& schedules();

}  // namespace dmoe::training
