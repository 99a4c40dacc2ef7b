// The row of the log that is being filled: sums over the steps since the last one.
#pragma once

#include <utility>
#include <vector>

#include "core/timing.hpp"
#include "numerics/kernels.hpp"
#include "training/observer.hpp"
#include "training/state.hpp"

namespace dmoe::training {

/// Counts its seconds from when it is made. All of it is Local.
class OpenRow {
 public:
  /// A new one, from masked_steps (N) of each layer, of all steps before it.
  explicit OpenRow(std::vector<std::vector<Index>> masked_steps) {
    window_.masked_steps = std::move(masked_steps);
  }
  /// Goes on with what window() gave.
  explicit OpenRow(Window window) : window_(std::move(window)) {}

  /// One step more, of that many examples; the loss is their sum.
  void add(const numerics::Loss& loss, Index examples, double learning_rate);
  /// Time that was not spent in training.
  void leave_out(Timing::Clock::duration time) { began_ += time; }

  bool has_steps() const { return window_.steps > 0; }
  /// The sums up to now.
  Window window() const;
  /// Their means, of a row of which step, epoch, phase and layers are the caller's to fill in.
  LogRow means() const;

 private:
  double seconds() const;

  Window window_;
  Timing::Clock::time_point began_ = Timing::Clock::now();  // window_.seconds are those before it
};

}  // namespace dmoe::training
