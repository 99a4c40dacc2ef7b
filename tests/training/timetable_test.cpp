#include "training/timetable.hpp"

#include <algorithm>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace dmoe::training {
namespace {

TrainingSpec spec_of(const std::vector<Index>& epochs) {
  TrainingSpec spec;
  for (const Index count : epochs) spec.phases.push_back({"phase", count, {"none", {}}, {"constant", {}}});
  return spec;
}

/// A training walked through, phase by phase, epoch by epoch.
struct Walk {
  Walk(const std::vector<Index>& epochs, Index steps_per_epoch) {
    Index epoch = 0;
    for (std::size_t p = 0; p < epochs.size(); ++p) {
      first_epochs.push_back(epoch);
      for (Index e = 0; e < epochs[p]; ++e, ++epoch) {
        for (Index s = 0; s < steps_per_epoch; ++s) {
          phases.push_back(static_cast<Index>(p));
          epochs_of_steps.push_back(epoch);
        }
        epoch_ends.push_back(static_cast<Index>(phases.size()));
      }
      if (epochs[p] > 0) phase_ends.push_back(static_cast<Index>(phases.size()));
    }
  }
  Index steps() const { return static_cast<Index>(phases.size()); }
  std::vector<Index> phases;           // of each step
  std::vector<Index> epochs_of_steps;  // of each step
  std::vector<Index> first_epochs;     // of each phase
  std::vector<Index> epoch_ends;       // steps done
  std::vector<Index> phase_ends;       // steps done
};

bool is_in(const std::vector<Index>& all, Index value) {
  return std::ranges::find(all, value) != all.end();
}

/// Phases without epochs too: skipped.
template <class Visit>
void for_each_case(Visit visit) {
  for (const std::vector<Index>& epochs : std::vector<std::vector<Index>>{
           {1}, {3}, {2, 1}, {1, 2, 3}, {0, 2}, {2, 0, 1}, {2, 0}, {1, 0, 0, 1}}) {
    for (const Index steps_per_epoch : {1, 3, 4}) {
      SCOPED_TRACE(fmt::format("{} epochs in the first of {} phases, {} steps an epoch", epochs.front(),
                               epochs.size(), steps_per_epoch));
      visit(epochs, steps_per_epoch, Walk(epochs, steps_per_epoch));
    }
  }
}

TEST(Timetable, knows_the_phase_and_the_epoch_of_every_step) {
  for_each_case([](const std::vector<Index>& epochs, Index steps_per_epoch, const Walk& walk) {
    const Timetable timetable(spec_of(epochs), steps_per_epoch);
    EXPECT_EQ(timetable.steps_per_epoch(), steps_per_epoch);
    EXPECT_EQ(timetable.steps(), walk.steps());
    EXPECT_EQ(timetable.epochs(), walk.steps() / steps_per_epoch);
    for (Index t = 0; t < walk.steps(); ++t) {
      EXPECT_EQ(timetable.phase(t), walk.phases[size(t)]) << "step " << t;
      EXPECT_EQ(timetable.epoch(t), walk.epochs_of_steps[size(t)]) << "step " << t;
    }
    const auto phases = static_cast<Index>(epochs.size());
    EXPECT_EQ(timetable.phase(walk.steps()), phases - 1);
    EXPECT_EQ(timetable.epoch(walk.steps()), timetable.epochs());
    for (Index p = 0; p < phases; ++p) {
      EXPECT_EQ(timetable.first_epoch(p), walk.first_epochs[size(p)]);
      EXPECT_EQ(timetable.epochs_of(p), epochs[size(p)]);
      EXPECT_EQ(timetable.steps_of(p), std::ranges::count(walk.phases, p));
    }
  });
}

TEST(Timetable, evaluates_every_few_epochs_and_at_the_end) {
  for_each_case([](const std::vector<Index>& epochs, Index steps_per_epoch, const Walk& walk) {
    for (const Index every : {0, 1, 2, 3}) {
      TrainingSpec spec = spec_of(epochs);
      spec.evaluation.every_epochs = every;
      std::vector<Index> expected;
      for (std::size_t e = 0; e < walk.epoch_ends.size(); ++e) {
        const bool is_last = e + 1 == walk.epoch_ends.size();
        if (is_last || (every > 0 && (e + 1) % size(every) == 0)) expected.push_back(walk.epoch_ends[e]);
      }
      const Timetable timetable(spec, steps_per_epoch);
      for (Index t = 0; t <= walk.steps(); ++t)
        EXPECT_EQ(timetable.evaluation_is_due(t), is_in(expected, t)) << "after step " << t;
    }
  });
}

TEST(Timetable, saves_every_few_steps_and_at_the_ends_of_phases) {
  for_each_case([](const std::vector<Index>& epochs, Index steps_per_epoch, const Walk& walk) {
    for (const Index every : {0, 1, 2, 5}) {
      for (const bool at_phase_ends : {false, true}) {
        TrainingSpec spec = spec_of(epochs);
        spec.checkpoint.every_steps = every;
        spec.checkpoint.at_phase_ends = at_phase_ends;
        std::vector<Index> expected;
        for (Index t = every; every > 0 && t <= walk.steps(); t += every) expected.push_back(t);
        if (at_phase_ends) expected.insert(expected.end(), walk.phase_ends.begin(), walk.phase_ends.end());
        const Timetable timetable(spec, steps_per_epoch);
        for (Index t = 0; t <= walk.steps(); ++t)
          EXPECT_EQ(timetable.checkpoint_is_due(t), is_in(expected, t)) << "after step " << t;
      }
    }
  });
}

TEST(Timetable, logs_every_few_steps) {
  TrainingSpec spec = spec_of({4});
  spec.log_every_steps = 3;
  const Timetable timetable(spec, 2);
  std::vector<Index> logged;
  for (Index t = 1; t <= timetable.steps(); ++t) {
    if (timetable.log_row_is_due(t)) logged.push_back(t);
  }
  EXPECT_EQ(logged, (std::vector<Index>{3, 6}));
}

}  // namespace
}  // namespace dmoe::training
