// A few training steps of the real trainer on simulated ranks, and what they took.
#pragma once

#include <map>
#include <string>

#include "comm/communicator.hpp"
#include "core/timing.hpp"
#include "exchange/homes.hpp"
#include "model/network_spec.hpp"
#include "simulation/drawn_top_k.hpp"

namespace dmoe::simulation {

/// What is simulated: a network of mixtures of one width, of which each row chooses k experts a layer.
struct Plan {
  model::NetworkSpec network;
  Index rows = 0;    // of a batch
  Index chosen = 2;  // k
  Index slices = 1;
  Index gate_slices = 0;  // 0: as many
  Index replicas = 1;
  exchange::Gating gating = exchange::Gating::coordinator;
  Index steps = 2;  // that count; one more comes before them
};

/// Of one rank, a step.
struct StepCost {
  double milliseconds = 0;  // simulated
  ActivitySeconds activities{};
  comm::Traffic traffic;                  // of all steps together, since bytes are whole
  std::map<std::string, double> charged;  // seconds by work (charges.hpp)
};

/// Trains. Throws InputError where there is no such layout. Collective over `world`.
StepCost train(const comm::Communicator& world, const Plan& plan);

}  // namespace dmoe::simulation
