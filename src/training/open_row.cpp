#include "training/open_row.hpp"

#include <algorithm>
#include <chrono>

namespace dmoe::training {

void OpenRow::add(const numerics::Loss& loss, Index examples, double learning_rate) {
  window_.loss += loss.sum;
  window_.errors += loss.errors;
  window_.examples += examples;
  window_.steps += 1;
  window_.learning_rate = learning_rate;
}

double OpenRow::seconds() const {
  return window_.seconds + std::chrono::duration<double>(Timing::Clock::now() - began_).count();
}

Window OpenRow::window() const {
  Window window = window_;
  window.seconds = seconds();
  return window;
}

LogRow OpenRow::means() const {
  const auto examples = static_cast<double>(window_.examples);
  LogRow row;
  row.loss = window_.loss / examples;
  row.error = static_cast<double>(window_.errors) / examples;
  row.learning_rate = window_.learning_rate;
  row.examples_per_second = examples / std::max(seconds(), 1e-9);
  return row;
}

}  // namespace dmoe::training
