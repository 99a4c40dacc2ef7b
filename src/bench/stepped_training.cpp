#include "bench/stepped_training.hpp"

#include "balance/rule.hpp"
#include "training/evaluation.hpp"
#include "training/schedule.hpp"

namespace dmoe::bench {

namespace {

bool never() {
  return false;
}

}  // namespace

SteppedTraining::SteppedTraining(const model::NetworkSpec& network, const exchange::Grid& grid,
                                 const data::Dataset& dataset, Index rows, const std::string& balancing_rule)
    : dataset_(dataset),
      spec_(spec_of(rows, grid, balancing_rule)),
      network_(network, grid, spec_.seed, rows),
      trainer_(spec_, network_, dataset, observer_, never) {
  trainer_.begin_phase(0);
}

training::TrainingSpec SteppedTraining::spec_of(Index rows, const exchange::Grid& grid,
                                                const std::string& balancing_rule) {
  training::TrainingSpec spec;
  spec.batch_size = rows;
  spec.slices = grid.slices().slices();
  spec.gate_slices = grid.gate_slices().slices();
  spec.evaluation.batch_size = rows;
  spec.phases.push_back({"bench",
                         1,
                         {balancing_rule, defaults(balance::rules().find(balancing_rule).settings)},
                         {"constant", defaults(training::schedules().find("constant").settings)}});
  return spec;
}

void SteppedTraining::steps(Index count) {
  for (Index i = 0; i < count; ++i) trainer_.step(0.01);
}

void SteppedTraining::evaluate() {
  training::evaluate(network_, dataset_, {data::Split::test, {}, spec_.evaluation.batch_size}, never);
}

}  // namespace dmoe::bench
