// A training that is stepped by hand.
#pragma once

#include <string>

#include "data/dataset.hpp"
#include "distribution/network.hpp"
#include "exchange/grid.hpp"
#include "training/trainer.hpp"

namespace dmoe::bench {

/// A network and its trainer on a data set, ready to be stepped: plain SGD, one phase with a balancing rule
/// of default settings. What is given must outlive it.
class SteppedTraining {
 public:
  /// Batches of `rows`, in training and in evaluation. Throws InputError for more ranks than experts. Local.
  SteppedTraining(const model::NetworkSpec& network, const exchange::Grid& grid, const data::Dataset& dataset,
                  Index rows, const std::string& balancing_rule);

  /// Training steps, presenting their batches included. Collective.
  void steps(Index count);
  /// One pass over the test split. Collective.
  void evaluate();

  distribution::Network& network() { return network_; }

 private:
  static training::TrainingSpec spec_of(Index rows, const exchange::Grid& grid,
                                        const std::string& balancing_rule);

  const data::Dataset& dataset_;
  training::TrainingSpec spec_;
  training::Observer observer_;
  distribution::Network network_;
  training::Trainer trainer_;
};

}  // namespace dmoe::bench
