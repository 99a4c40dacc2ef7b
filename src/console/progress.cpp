#include "console/progress.hpp"

#include <cmath>
#include <utility>

#include <fmt/format.h>

#include "console/wording.hpp"

namespace dmoe::console {

namespace {

constexpr std::chrono::milliseconds redraw_interval{200};
constexpr std::chrono::seconds log_interval{10};

}  // namespace

std::string progress_text(const training::Plan& plan, const training::LogRow& row,
                          double seconds_since_start) {
  const double seconds_per_step = seconds_since_start / static_cast<double>(row.step - plan.first_step);
  return fmt::format("epoch {}/{}, {} left, loss {:.4f}, error {:.2f} %, {} examples/s, step {}/{}, {}",
                     row.epoch + 1, plan.epochs,
                     duration(seconds_per_step * static_cast<double>(plan.steps - row.step)), row.loss,
                     100 * row.error, grouped(std::llround(row.examples_per_second)), grouped(row.step),
                     grouped(plan.steps), plan.phases[size(row.phase)]);
}

std::string scores_text(const training::EvaluationRow& row) {
  std::string text = fmt::format("test error {}", score_text(row.test));
  if (row.has_validation) text += fmt::format(", validation error {}", score_text(row.validation));
  return text + fmt::format(", train error {}", score_text(row.train));
}

std::string evaluation_text(const training::Plan& plan, const training::EvaluationRow& row) {
  return fmt::format("epoch {}/{}: {}", row.epoch, plan.epochs, scores_text(row));
}

Progress::Progress(Console& console, std::function<Clock::time_point()> now)
    : console_(console), now_(std::move(now)), began_(now_()), shown_(began_) {}

void Progress::began(const training::Plan& plan) {
  plan_ = plan;
  began_ = shown_ = now_();
}

void Progress::stepped(const training::LogRow& row) {
  if (console_.is_terminal() && is_due(redraw_interval)) {
    console_.live(progress_text(plan_, row, seconds_since_start()));
  }
}

void Progress::logged(const training::LogRow& row) {
  if (!console_.is_terminal() && is_due(log_interval)) {
    console_.line(progress_text(plan_, row, seconds_since_start()));
  }
}

void Progress::evaluated(const training::EvaluationRow& row, const training::RankSeconds& /*seconds*/) {
  console_.line(evaluation_text(plan_, row));
}

double Progress::seconds_since_start() const {
  return std::chrono::duration<double>(now_() - began_).count();
}

bool Progress::is_due(Clock::duration interval) {
  const Clock::time_point now = now_();
  if (now - shown_ < interval) return false;
  shown_ = now;
  return true;
}

}  // namespace dmoe::console
