// The training loop: phases of epochs of steps, evaluations and checkpoints between them, reports to an
// observer.
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "data/dataset.hpp"
#include "data/sampler.hpp"
#include "distribution/network.hpp"
#include "exchange/batch_loss.hpp"
#include "training/balancing.hpp"
#include "training/evaluation.hpp"
#include "training/gradient_norm.hpp"
#include "training/observer.hpp"
#include "training/open_row.hpp"
#include "training/optimizer.hpp"
#include "training/presented.hpp"
#include "training/schedule.hpp"
#include "training/spec.hpp"
#include "training/state.hpp"
#include "training/timetable.hpp"
#include "training/trouble.hpp"

namespace dmoe::training {

enum class Outcome { finished, stopped };

/// Trains a network on a data set. Epochs, steps and random streams run on across phases. All ranks construct
/// one with the same arguments; the observer is told on the coordinator alone.
class Trainer {
 public:
  /// Saves the trainer's state, its network and its optimiser. Collective.
  using SaveCheckpoint = std::function<void()>;

  /// Everything given must outlive the trainer. Throws InputError for a spec that cannot be trained, or whose
  /// slices are not those of the network. Local.
  Trainer(const TrainingSpec& spec, distribution::Network& network, const data::Dataset& dataset,
          Observer& observer, StopRequested stop_requested);

  /// Trains to the end, or to the step at which any rank was told to stop, and saves whenever it is time and
  /// when it stops. Throws NumericalError. Collective over all replicas.
  Outcome run(const SaveCheckpoint& save = [] {});

  /// One step on its own, for benchmarks and tests: step t of the first phase. The optimiser may leave
  /// experts behind. Collective.
  numerics::Loss step(double learning_rate);

  /// Steps done.
  Index steps_done() const { return step_; }
  Index steps_planned() const { return timetable_.steps(); }
  Index steps_per_epoch() const { return timetable_.steps_per_epoch(); }
  /// The balancing state of layer = 0 .. L-1, the same on every rank.
  const balance::Balancer& balancer(Index layer) const { return balancing_.of(layer); }
  Sgd& optimizer() { return optimizer_; }

  /// What a trainer of the same spec, network and data set needs to go on from here. Local.
  State state() const;
  /// Goes on from there; before run(). Weights and velocities are the caller's to restore. Local.
  void restore(State state);

  /// What every rank spent its time on up to now, on the coordinator; empty elsewhere. Collective.
  RankSeconds rank_seconds() const;
  /// Puts the rule, the routings and the schedule of a phase in force. Local.
  void begin_phase(Index phase);

  /// Rows that the network's buffers must hold on such a grid.
  static Index capacity(const TrainingSpec& spec, const exchange::Grid& grid) {
    return std::max(grid.most_rows(spec.batch_size), spec.evaluation.batch_size);
  }

 private:
  Outcome run_steps(const SaveCheckpoint& save);
  Plan plan() const;
  Index epochs_done() const { return timetable_.epoch(step_); }
  double learning_rate() const;
  Rates rates(double learning_rate) const;
  /// When it is time, and once.
  bool evaluation_is_due() const;
  bool checkpoint_is_due() const;
  /// Scores all splits; false where it was stopped half way, on all ranks alike.
  bool evaluate_all();
  void save(const SaveCheckpoint& save);
  distribution::StepRequests requests() const;
  void report_step(const numerics::Loss& loss, double rate);
  LogRow row_so_far() const;
  void log_row();

  const comm::Communicator& world() const { return network_.grid().world(); }

  const TrainingSpec& spec_;
  distribution::Network& network_;
  const data::Dataset& dataset_;
  Observer& observer_;
  StopRequested stop_requested_;

  data::EpochSampler sampler_;
  Timetable timetable_;
  PresentedBatch batch_;  // of this replica
  Sgd optimizer_;
  std::optional<GradientNorm> gradient_norm_;  // where the gradient is clipped
  Balancing balancing_;
  exchange::BatchLoss batch_loss_;
  std::vector<std::unique_ptr<Schedule>> schedules_;  // one a phase

  Index step_ = 0;              // steps done
  Index examples_of_step_ = 0;  // of the last one
  Index phase_ = -1;            // the phase in force
  Index evaluations_ = 0;
  Index evaluated_epoch_ = -1;
  OpenRow open_row_;
  Index saved_step_ = -1;  // steps done at the last checkpoint
  Timing::Clock::time_point saved_at_ = Timing::Clock::now();
  Trouble trouble_;
};

}  // namespace dmoe::training
