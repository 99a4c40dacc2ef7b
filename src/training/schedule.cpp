// The schedules and their table: a new one is a class and one line here.
#include "training/schedule.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace dmoe::training {

namespace {

constexpr double largest_rate = 1e6;

SettingSpec rate_setting(std::string name, std::string help, double initial, double minimum) {
  return {std::move(name), std::move(help), initial, minimum, largest_rate};
}

/// How far an epoch lies between the first (0) and the last (1) of its phase.
double progress(Index epoch, Index epochs) {
  return static_cast<double>(epoch) / static_cast<double>(std::max<Index>(epochs - 1, 1));
}

class Constant : public Schedule {
 public:
  explicit Constant(const Settings& settings) : start_(settings.real("start")) {}
  double rate(Index /*epoch*/, Index /*epochs*/) const override { return start_; }

 private:
  double start_;
};

/// start (end / start)^(e / (E - 1))
class Exponential : public Schedule {
 public:
  explicit Exponential(const Settings& settings)
      : start_(settings.real("start")), end_(settings.real("end")) {}
  double rate(Index epoch, Index epochs) const override {
    return start_ * std::pow(end_ / start_, progress(epoch, epochs));
  }

 private:
  double start_;
  double end_;
};

/// start factor^floor(e / every)
class Step : public Schedule {
 public:
  explicit Step(const Settings& settings)
      : start_(settings.real("start")), factor_(settings.real("factor")), every_(settings.integer("every")) {}
  double rate(Index epoch, Index /*epochs*/) const override {
    const Index falls = epoch / every_;
    return start_ * std::pow(factor_, static_cast<double>(falls));
  }

 private:
  double start_;
  double factor_;
  Index every_;
};

/// end + (start - end) (1 + cos(pi e / (E - 1))) / 2
class Cosine : public Schedule {
 public:
  explicit Cosine(const Settings& settings) : start_(settings.real("start")), end_(settings.real("end")) {}
  double rate(Index epoch, Index epochs) const override {
    return end_ + (start_ - end_) * 0.5 * (1 + std::cos(std::numbers::pi * progress(epoch, epochs)));
  }

 private:
  double start_;
  double end_;
};

template <class Made>
std::unique_ptr<Schedule> make(const Settings& settings) {
  return std::make_unique<Made>(settings);
}

}  // namespace

ScheduleRegistry& schedules() {
  const SettingSpec start = rate_setting("start", "rate of the first epoch", 0.3, 0.0);
  const SettingSpec positive_start = rate_setting("start", "rate of the first epoch", 0.3, 1e-12);
  const SettingSpec end = rate_setting("end", "rate of the last epoch", 0.01, 0.0);
  const SettingSpec positive_end = rate_setting("end", "rate of the last epoch", 0.01, 1e-12);
  static ScheduleRegistry table(
      "learning-rate schedule",
      {
          {"constant", "the same rate in every epoch", {start}, make<Constant>},
          {"exponential",
           "a constant factor from epoch to epoch",
           {positive_start, positive_end},
           make<Exponential>},
          {"step",
           "a factor every few epochs",
           {start,
            {"factor", "what the rate is multiplied with", 0.1, 0.0, 1.0},
            {.name = "every",
             .help = "how often",
             .initial = std::int64_t{10},
             .minimum = 1,
             .maximum = 1e9,
             .unit = "epochs"}},
           make<Step>},
          {"cosine", "half a cosine from the first rate to the last", {start, end}, make<Cosine>},
      });
  return table;
}

}  // namespace dmoe::training
