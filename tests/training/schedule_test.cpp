#include "training/schedule.hpp"

#include <cmath>
#include <memory>
#include <numbers>
#include <string>

#include <gmock/gmock.h>

namespace dmoe::training {
namespace {

/// A schedule with some of its settings changed from their defaults.
std::unique_ptr<Schedule> schedule(const std::string& name,
                                   const std::vector<std::pair<std::string, SettingValue>>& changed) {
  const ScheduleRegistry::Entry& entry = schedules().find(name);
  Settings settings;
  for (const SettingSpec& spec : entry.settings) {
    SettingValue value = spec.initial;
    for (const auto& [key, other] : changed) {
      if (key == spec.name) value = other;
    }
    settings.set(spec.name, value);
  }
  return entry.make(settings);
}

TEST(Schedules, are_four) {
  EXPECT_EQ(schedules().names(), "constant, exponential, step, cosine");
}

TEST(ConstantSchedule, never_changes) {
  const auto constant = schedule("constant", {{"start", 0.25}});
  for (Index e = 0; e < 30; ++e) EXPECT_EQ(constant->rate(e, 30), 0.25);
}

TEST(ExponentialSchedule, goes_from_start_to_end_by_one_factor) {
  const auto exponential = schedule("exponential", {{"start", 0.3}, {"end", 0.01}});
  for (const Index epochs : {2, 4, 30}) {
    for (Index e = 0; e < epochs; ++e) {
      const double progress = static_cast<double>(e) / static_cast<double>(epochs - 1);
      EXPECT_DOUBLE_EQ(exponential->rate(e, epochs), 0.3 * std::pow(0.01 / 0.3, progress));
    }
    EXPECT_DOUBLE_EQ(exponential->rate(0, epochs), 0.3);
    EXPECT_DOUBLE_EQ(exponential->rate(epochs - 1, epochs), 0.01);
  }
}

TEST(StepSchedule, drops_every_few_epochs) {
  const auto step = schedule("step", {{"start", 0.5}, {"factor", 0.1}, {"every", std::int64_t{3}}});
  for (Index e = 0; e < 12; ++e) {
    EXPECT_DOUBLE_EQ(step->rate(e, 12), 0.5 * std::pow(0.1, std::floor(static_cast<double>(e) / 3)));
  }
}

TEST(CosineSchedule, follows_half_a_cosine) {
  const auto cosine = schedule("cosine", {{"start", 0.4}, {"end", 0.1}});
  for (Index e = 0; e < 9; ++e) {
    EXPECT_DOUBLE_EQ(cosine->rate(e, 9),
                     0.25 + 0.15 * std::cos(std::numbers::pi * static_cast<double>(e) / 8));
  }
  EXPECT_DOUBLE_EQ(cosine->rate(4, 9), 0.25);
}

TEST(Schedules, start_at_their_start_in_a_phase_of_one_epoch) {
  for (const ScheduleRegistry::Entry& entry : schedules().entries()) {
    EXPECT_DOUBLE_EQ(schedule(entry.name, {{"start", 0.2}})->rate(0, 1), 0.2) << entry.name;
  }
}

TEST(Schedules, tell_the_known_ones_where_a_name_is_unknown) {
  EXPECT_THAT([] { schedules().find("triangle"); },
              testing::ThrowsMessage<InputError>(testing::HasSubstr("constant, exponential, step, cosine")));
}

}  // namespace
}  // namespace dmoe::training
