// What differs between the config of a run and the one it is resumed with.
#pragma once

#include <string>
#include <vector>

#include "config/config.hpp"
#include "training/state.hpp"

namespace dmoe::config {

/// A key with its value before and after; empty where it was not there.
struct Change {
  std::string key;  // "train.seed", "phases.2.epochs"
  std::string before;
  std::string after;
  /// "train.seed: 0 -> 3". Local.
  std::string text() const;
};

/// All keys of the effective configs that differ. Local.
std::vector<Change> changes(const Config& before, const Config& after);

/// Throws InputError, naming the keys, where going on from `reached` with the config `after` would not be the
/// training of `before` continued: everything but logging, evaluation, checkpoints, limits of time and the
/// place of the data must stay. Phases may be added behind, and may last for another number of epochs where
/// no epoch that was trained would have had another learning rate. Local.
void check_changes(const Config& before, const Config& after, const training::State& reached,
                   Index steps_per_epoch);

}  // namespace dmoe::config
