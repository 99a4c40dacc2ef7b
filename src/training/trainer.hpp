// The training loop: phases of epochs of steps, evaluation between them, reports to an observer.
#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <vector>

#include "balance/balancer.hpp"
#include "data/dataset.hpp"
#include "data/sampler.hpp"
#include "distribution/assignment.hpp"
#include "distribution/network.hpp"
#include "training/evaluation.hpp"
#include "training/observer.hpp"
#include "training/optimizer.hpp"
#include "training/schedule.hpp"
#include "training/spec.hpp"

namespace dmoe::training {

enum class Outcome { finished, stopped };

/// Trains a network on a data set. Epochs, steps and random streams run on across phases. All ranks construct
/// one with the same arguments; the observer is told on the coordinator alone.
class Trainer {
 public:
  /// Everything given must outlive the trainer. Throws InputError for a spec that cannot be trained. Local.
  Trainer(const TrainingSpec& spec, distribution::Network& network, const data::Dataset& dataset,
          Observer& observer, StopRequested stop_requested);

  /// Trains to the end, or to the step at which any rank was told to stop. Collective over the network's
  /// ranks.
  Outcome run();

  /// One step on its own, for benchmarks and tests: step t of the first phase. Collective.
  numerics::Loss step(double learning_rate);

  /// Steps done.
  Index steps_done() const { return step_; }
  Index steps_per_epoch() const { return sampler_.steps_per_epoch(); }
  /// The balancing state of layer = 0 .. L-1, the same on every rank.
  const balance::Balancer& balancer(Index layer) const { return balancers_[size(layer)]; }
  /// What every rank spent its time on up to now, on the coordinator; empty elsewhere. Collective.
  RankSeconds rank_seconds() const;
  /// Puts the rule and the schedule of a phase in force. Local.
  void begin_phase(Index phase);

  /// Rows that the network's buffers must hold.
  static Index capacity(const TrainingSpec& spec) {
    return std::max(spec.batch_size, spec.evaluation.batch_size);
  }

 private:
  Outcome run_epoch(Index epochs_of_phase, Index epoch_of_phase);
  /// Scores all splits; false where it was stopped half way, on all ranks alike.
  bool evaluate_all();
  /// Logs what was not logged yet.
  Outcome stopped();
  void report_step(const numerics::Loss& loss, double rate);
  LogRow row_so_far() const;
  void log_row();

  const TrainingSpec& spec_;
  distribution::Network& network_;
  const data::Dataset& dataset_;
  Observer& observer_;
  StopRequested stop_requested_;

  data::EpochSampler sampler_;
  data::Batch batch_;
  Sgd optimizer_;
  distribution::AssignmentReduction assignment_;
  std::vector<balance::Balancer> balancers_;
  std::vector<std::unique_ptr<balance::Rule>> rules_;  // one a phase
  std::vector<std::unique_ptr<Schedule>> schedules_;   // one a phase
  distribution::Masks masks_;                          // views of the balancers' masks

  Index step_ = 0;   // steps done
  Index epoch_ = 0;  // epochs done
  Index phase_ = 0;  // the phase in force
  Index evaluations_ = 0;
  Index evaluated_epoch_ = -1;

  /// Sums since the last logged row.
  struct Window {
    double loss = 0;
    Index errors = 0;
    Index examples = 0;
    Index steps = 0;
    double learning_rate = 0;
    std::vector<std::vector<Index>> masked_steps;  // of each layer, when the window began
    Timing::Clock::time_point began = Timing::Clock::now();
  };
  void open_window();
  Window window_;
};

}  // namespace dmoe::training
