#include "training/timetable.hpp"

#include <algorithm>

namespace dmoe::training {

Timetable::Timetable(const TrainingSpec& spec, Index steps_per_epoch)
    : steps_per_epoch_(steps_per_epoch),
      evaluate_every_epochs_(spec.evaluation.every_epochs),
      save_every_steps_(spec.checkpoint.every_steps),
      saves_at_phase_ends_(spec.checkpoint.at_phase_ends),
      log_every_steps_(spec.log_every_steps),
      first_epochs_{0} {
  for (const PhaseSpec& phase : spec.phases) first_epochs_.push_back(epochs() + phase.epochs);
}

Index Timetable::phase(Index steps_done) const {
  const auto second = first_epochs_.begin() + 1;
  const auto next = std::upper_bound(second, first_epochs_.end(), epoch(steps_done));
  return std::min(next, first_epochs_.end() - 1) - second;
}

bool Timetable::is_phase_end(Index steps_done) const {
  return is_epoch_end(steps_done) &&
         std::binary_search(first_epochs_.begin(), first_epochs_.end(), epoch(steps_done));
}

bool Timetable::evaluation_is_due(Index steps_done) const {
  if (steps_done == steps()) return true;
  return evaluate_every_epochs_ > 0 && is_epoch_end(steps_done) &&
         epoch(steps_done) % evaluate_every_epochs_ == 0;
}

bool Timetable::checkpoint_is_due(Index steps_done) const {
  const bool is_time = save_every_steps_ > 0 && steps_done > 0 && steps_done % save_every_steps_ == 0;
  return is_time || (saves_at_phase_ends_ && is_phase_end(steps_done));
}

}  // namespace dmoe::training
