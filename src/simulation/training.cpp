#include "simulation/training.hpp"

#include "balance/rule.hpp"
#include "distribution/network.hpp"
#include "exchange/grid.hpp"
#include "simulation/blank_dataset.hpp"
#include "simulation/charges.hpp"
#include "training/schedule.hpp"
#include "training/trainer.hpp"

namespace dmoe::simulation {

namespace {

training::TrainingSpec spec_of(const Plan& plan) {
  training::TrainingSpec spec;
  spec.batch_size = plan.rows;
  spec.slices = plan.slices;
  spec.gate_slices = plan.gate_slices;
  spec.evaluation.batch_size = 1;  // nothing is evaluated
  spec.phases.push_back({"simulation",
                         1,
                         {"none", defaults(balance::rules().find("none").settings)},
                         {"constant", defaults(training::schedules().find("constant").settings)}});
  return spec;
}

ActivitySeconds differences(const ActivitySeconds& after, const ActivitySeconds& before, double steps) {
  ActivitySeconds seconds{};
  for (std::size_t a = 0; a < seconds.size(); ++a) seconds[a] = (after[a] - before[a]) / steps;
  return seconds;
}

comm::Traffic differences(const comm::Traffic& after, const comm::Traffic& before) {
  return {after.bytes_sent - before.bytes_sent, after.bytes_received - before.bytes_received,
          after.bytes_reduced - before.bytes_reduced, after.messages_sent - before.messages_sent,
          after.messages_received - before.messages_received};
}

}  // namespace

StepCost train(const comm::Communicator& world, const Plan& plan) {
  const training::TrainingSpec spec = spec_of(plan);
  const exchange::Grid grid(world, plan.replicas, {plan.rows, plan.slices, plan.gate_slices}, plan.gating);
  distribution::Network network(plan.network, grid, spec.seed, training::Trainer::capacity(spec, grid));
  const BlankDataset dataset(plan.rows, plan.network.inputs, plan.network.classes);
  training::Observer observer;
  training::Trainer trainer(spec, network, dataset, observer, [] { return false; });
  trainer.begin_phase(0);
  const DrawnTopK routing(plan.chosen, world.rank());
  for (Index l = 0; l < plan.network.layer_count(); ++l) network.mixture(l)->route(routing);

  constexpr double rate = 0.01;
  trainer.step(rate);
  world.barrier();
  const std::map<std::string, double> charged = charged_seconds();
  const ActivitySeconds activities = world.timing().seconds();
  const comm::Traffic traffic = world.traffic();
  const Clock::time_point began = Clock::now();
  for (Index step = 0; step < plan.steps; ++step) trainer.step(rate);
  const std::chrono::duration<double, std::milli> taken = Clock::now() - began;

  const auto steps = static_cast<double>(plan.steps);
  StepCost cost{taken.count() / steps, differences(world.timing().seconds(), activities, steps),
                differences(world.traffic(), traffic), charged_seconds()};
  for (auto& [work, seconds] : cost.charged) {
    if (const auto before = charged.find(work); before != charged.end()) seconds -= before->second;
    seconds /= steps;
  }
  return cost;
}

}  // namespace dmoe::simulation
