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

/// A stretch of training with one balancing rule, one routing a layer and one learning-rate schedule.
struct PhaseSpec {
  std::string name;
  Index epochs = 0;
  PartSpec rule;
  PartSpec schedule;
  std::vector<PartSpec> routings{};  // of every layer; or one, of all layers; none: all experts
  double expert_rate_factor = 1;     // learning rate of gated experts over that of everything else
  bool operator==(const PhaseSpec&) const = default;
};

struct EvaluationSpec {
  Index every_epochs = 1;  // 0: only at the end
  Index batch_size = 500;
};

/// When to save all that a later start needs, besides when a run is stopped. 0 or false: not for that reason.
struct CheckpointSpec {
  Index every_steps = 0;
  double every_minutes = 10;
  bool at_phase_ends = true;
  Index keep = 2;  // the newest
};

struct TrainingSpec {
  std::uint64_t seed = 0;
  Index batch_size = 100;
  Index slices = 1;       // of a batch, over which gradients are summed
  Index gate_slices = 0;  // the same of what works on rows at home; 0: as many
  double momentum = 0;
  double weight_decay = 0;
  double max_gradient_norm = 0;  // the gradient is shortened to it; 0: never
  Index log_every_steps = 100;
  EvaluationSpec evaluation;
  CheckpointSpec checkpoint;
  std::vector<PhaseSpec> phases;

  Index slices_of_gates() const { return gate_slices == 0 ? slices : gate_slices; }
  /// Epochs of all phases.
  Index epochs() const {
    Index sum = 0;
    for (const PhaseSpec& phase : phases) sum += phase.epochs;
    return sum;
  }
};

}  // namespace dmoe::training
