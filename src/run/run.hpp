// A training run: its folder, data, network, checkpoints and files, as a class. `dmoe train` is its thin
// user; so may be another program (docs/examples).
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "comm/session.hpp"
#include "comm/watchdog.hpp"
#include "config/config.hpp"
#include "core/timing.hpp"
#include "io/run_file.hpp"
#include "run/folder.hpp"
#include "run/parts.hpp"
#include "run/resume.hpp"
#include "training/trainer.hpp"

namespace dmoe::run {

struct RunOptions {
  std::string folder;
  Existing existing = Existing::refuse;
  std::string command_line{};  // for the record
};

class Run {
 public:
  /// Loads the data, makes the network, and finds where a run that is to be resumed goes on. Changes nothing
  /// in the folder. The session must outlive it. Throws on all ranks. Collective.
  Run(const comm::Session& session, config::Config config, RunOptions options);
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  /// It has had all the epochs that the config asks for: there is no network, and nothing to train.
  bool is_finished() const { return before_.is_finished; }
  const config::Config& config() const { return config_; }
  const std::string& folder() const { return folder_.path(); }
  const data::Dataset& dataset() const { return *data_.dataset; }
  distribution::Network& network() { return *network_; }
  const distribution::Network& network() const { return *network_; }
  /// Why the ranks stand in these replicas, where dmoe chose that; else "".
  const std::string& layout_reason() const { return layout_reason_; }
  /// What a person should know of data, config and folder, a line each. On the coordinator.
  const std::vector<std::string>& remarks() const { return before_.remarks; }

  /// Makes the folder, or takes the one that is there. Throws on all ranks. Collective.
  void open();
  /// Opens where that was not done; trains to the end, until a rank's `stop_requested` says so, or
  /// train.stop_after has passed. What is reported goes to the observer, on the coordinator, too. Checkpoints
  /// and run.h5 are written meanwhile, model.h5 at the end. Throws on all ranks, but where the coordinator
  /// alone cannot write run.h5 or its observer throws. Once. Collective.
  training::Outcome train(
      training::Observer& observer, const training::StopRequested& stop_requested = [] { return false; });

  Index first_step() const { return before_.state.step; }
  /// Those of train(), from its first step on.
  Index steps_done() const { return trainer_->steps_done(); }
  Index steps_planned() const { return trainer_->steps_planned(); }
  /// Whether train.stop_after has passed in train(), and so ended it. On the coordinator.
  bool is_out_of_time() const { return is_out_of_time_; }
  /// Examples presented by this start.
  Index examples_presented() const;
  /// Since train() began.
  double seconds() const { return std::chrono::duration<double>(Timing::Clock::now() - began_).count(); }
  /// The last of this run, by this start or an earlier one. On the coordinator.
  const training::EvaluationRow& last_evaluation() const { return file_->summary().evaluations.back(); }
  /// The newest checkpoint that is there; empty where none is. Local.
  std::string newest_checkpoint() const;

 private:
  void open_run_file(const io::Launch& launch);
  void save_checkpoint();
  void save_model();
  /// Throws RunError on all ranks where replicas do not hold the same.
  void require_equal_replicas();
  void close_run_file(io::RunStatus status);
  std::string unusual_features() const;

  const comm::Session& session_;
  const comm::Communicator& world_;
  config::Config config_;
  comm::Watchdog watchdog_;
  RunOptions options_;
  Timing::Clock::time_point began_ = Timing::Clock::now();  // of train(), once that has begun
  RunFolder folder_;
  LoadedData data_;
  io::DataRecord record_;
  Resumption before_;
  std::string layout_reason_;
  std::unique_ptr<distribution::Network> network_;
  bool is_open_ = false;
  bool is_out_of_time_ = false;
  std::optional<io::RunFile> file_;  // on the coordinator
  training::Observers observers_;
  std::optional<training::Trainer> trainer_;
};

/// What such a network is and costs, for the run file. Local.
io::NetworkRecord network_record(const model::NetworkSpec& spec);

}  // namespace dmoe::run
