// What a training run is asked to do: the [train], [evaluation] and [[phases]] parts of a config, checked.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/settings.hpp"
#include "core/types.hpp"

namespace dmoe::training {

/// A registry name and the settings it is made with.
struct PartSpec {
  std::string name;
  Settings settings;
  bool operator==(const PartSpec&) const = default;
};

/// A stretch of training with one balancing rule and one learning-rate schedule.
struct PhaseSpec {
  std::string name;
  Index epochs = 0;
  PartSpec rule;
  PartSpec schedule;
};

struct EvaluationSpec {
  Index every_epochs = 1;  // 0: only at the end
  Index batch_size = 500;
};

struct TrainingSpec {
  std::uint64_t seed = 0;
  Index batch_size = 100;
  double momentum = 0;
  double weight_decay = 0;
  Index log_every_steps = 100;
  EvaluationSpec evaluation;
  std::vector<PhaseSpec> phases;

  /// Epochs of all phases.
  Index epochs() const {
    Index sum = 0;
    for (const PhaseSpec& phase : phases) sum += phase.epochs;
    return sum;
  }
};

}  // namespace dmoe::training
