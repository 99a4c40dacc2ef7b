// When what happens in a training: which phase a step belongs to, and after which steps to evaluate, to save
// and to log.
#pragma once

#include <vector>

#include "core/types.hpp"
#include "training/spec.hpp"

namespace dmoe::training {

/// Plain arithmetic on the number of steps done, 0 .. steps(): the step to come has that number. Steps and
/// epochs run on across phases; they and phases count from 0. Local.
class Timetable {
 public:
  Timetable(const TrainingSpec& spec, Index steps_per_epoch);

  Index steps_per_epoch() const { return steps_per_epoch_; }
  /// Of the whole training.
  Index epochs() const { return first_epochs_.back(); }
  Index steps() const { return epochs() * steps_per_epoch_; }

  Index epochs_of(Index phase) const { return first_epoch(phase + 1) - first_epoch(phase); }
  Index steps_of(Index phase) const { return epochs_of(phase) * steps_per_epoch_; }
  /// The epoch in which a phase begins; of the number of phases, epochs().
  Index first_epoch(Index phase) const { return first_epochs_[size(phase)]; }

  /// The epoch of the step to come, which is how many epochs are complete.
  Index epoch(Index steps_done) const { return steps_done / steps_per_epoch_; }
  /// The phase of the step to come; behind the last step, the last phase.
  Index phase(Index steps_done) const;

  /// Every so many epochs, and at the end.
  bool evaluation_is_due(Index steps_done) const;
  /// Every so many steps, and at the ends of phases. Those by the clock are not in here.
  bool checkpoint_is_due(Index steps_done) const;
  /// Every so many steps.
  bool log_row_is_due(Index steps_done) const { return steps_done % log_every_steps_ == 0; }

 private:
  bool is_epoch_end(Index steps_done) const { return steps_done > 0 && steps_done % steps_per_epoch_ == 0; }
  bool is_phase_end(Index steps_done) const;

  Index steps_per_epoch_;
  Index evaluate_every_epochs_;  // 0: only at the end
  Index save_every_steps_;       // 0: never for that reason
  bool saves_at_phase_ends_;
  Index log_every_steps_;
  std::vector<Index> first_epochs_;  // of each phase, then of what would follow the last
};

}  // namespace dmoe::training
