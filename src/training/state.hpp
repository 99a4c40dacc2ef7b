// Where a training is between two steps: with the weights and the velocities, all that a later start needs.
#pragma once

#include <vector>

#include "balance/balancer.hpp"
#include "core/types.hpp"

namespace dmoe::training {

/// Sums over the steps since the last logged row.
struct Window {
  double loss = 0;   // nats, where rows are at home; else 0
  Index errors = 0;  // where rows are at home; else 0
  Index examples = 0;
  Index steps = 0;
  double learning_rate = 0;                      // of the last step
  double seconds = 0;                            // of training, without evaluations
  std::vector<std::vector<Index>> masked_steps;  // (N) of each layer, when the window began
};

/// The batch of step t, its order and its transformations are a pure function of t: the step is the cursor
/// into the data and into all random streams too.
struct State {
  Index step = 0;              // steps done
  Index epoch = 0;             // epochs done
  Index phase = -1;            // the one in force, from 0; none before the first step
  Index evaluations = 0;       // done
  Index evaluated_epoch = -1;  // epochs done at the last of them
  std::vector<balance::Balancer::State> layers;
  Window window;
};

}  // namespace dmoe::training
