// How far a training run is, for the person or the log that watches it.
#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "console/console.hpp"
#include "training/observer.hpp"

namespace dmoe::console {

/// On a terminal one changing line, redrawn at most five times a second; in a log a line at most every 10 s.
/// Every evaluation is a line that stays.
class Progress : public training::Observer {
 public:
  using Clock = std::chrono::steady_clock;

  /// The console must outlive it; `now` is another clock for tests. Local.
  explicit Progress(Console& console, std::function<Clock::time_point()> now = Clock::now);

  void began(const training::Plan& plan) override;
  void stepped(const training::LogRow& row) override;
  void logged(const training::LogRow& row) override;
  void evaluated(const training::EvaluationRow& row, const training::RankSeconds& seconds) override;

 private:
  double seconds_since_start() const;
  /// True, at most once an interval.
  bool is_due(Clock::duration interval);

  Console& console_;
  std::function<Clock::time_point()> now_;
  training::Plan plan_;
  Clock::time_point began_;
  Clock::time_point shown_;
};

/// "epoch 3/12, 1 min 10 s left, loss 0.1234, error 3.21 %, 41,200 examples/s, step 1,340/7,200,
/// constrained": what a narrow terminal cuts off is what one misses least. Local.
std::string progress_text(const training::Plan& plan, const training::LogRow& row,
                          double seconds_since_start);

/// "test error 3.21 % (loss 0.1234), train error 3.05 % (loss 0.1201)". Local.
std::string scores_text(const training::EvaluationRow& row);

/// "epoch 2/12: test error 3.21 % (loss 0.1234), train error 3.05 % (loss 0.1201)". Local.
std::string evaluation_text(const training::Plan& plan, const training::EvaluationRow& row);

}  // namespace dmoe::console
