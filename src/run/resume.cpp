#include "run/resume.hpp"

#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "comm/archive.hpp"
#include "comm/together.hpp"
#include "config/changes.hpp"
#include "console/wording.hpp"
#include "core/error.hpp"
#include "core/paths.hpp"
#include "data/sampler.hpp"
#include "io/run_file.hpp"
#include "numerics/architecture.hpp"
#include "run/folder.hpp"
#include "run/guarded_file.hpp"

// What the coordinator sends of a state (comm/archive.hpp).
namespace dmoe::balance {
template <class Archive>
void serialize(Archive& archive, Balancer::State& state, unsigned /*version*/) {
  archive& state.totals& state.rule_totals& state.masked_steps;
}
}  // namespace dmoe::balance
namespace dmoe::training {
template <class Archive>
void serialize(Archive& archive, Window& window, unsigned /*version*/) {
  archive& window.loss& window.errors& window.examples& window.steps& window.learning_rate& window
      .seconds& window.masked_steps;
}
template <class Archive>
void serialize(Archive& archive, State& state, unsigned /*version*/) {
  archive& state.step& state.epoch& state.phase& state.evaluations& state.evaluated_epoch& state.layers& state
      .window;
}
}  // namespace dmoe::training

namespace dmoe::run {

namespace {

/// What there is to find, by the coordinator.
class Search {
 public:
  Search(std::string folder, const config::Config& config, const data::Contents& contents)
      : folder_(std::move(folder)),
        config_(config),
        contents_(contents),
        training_examples_(contents.of(data::Split::train)->examples),
        steps_per_epoch_(
            data::EpochSampler(training_examples_, config.training.batch_size, 0).steps_per_epoch()) {}

  Resumption found() {
    read_run_file();
    find_checkpoint();
    if (checkpoint_) {
      check_checkpoint();
    } else if (run_file_) {
      check_run_without_checkpoint();
    }
    return std::move(result_);
  }

 private:
  /// Its launches, and whether the run is finished; a checkpoint has all the rest.
  void read_run_file() {
    const std::string path = run_file(folder_);
    if (!path_exists(path)) return;
    try {
      check_in_child(path);
      run_file_ = io::read_run(path);
    } catch (const InputError& error) {
      remark(fmt::format("warning: {}; the launches before the last checkpoint are known from that",
                         error.what()));
    }
  }

  /// The newest that is whole. To begin anew because none can be read, now maybe, would give up what they
  /// hold.
  void find_checkpoint() {
    const std::vector<std::string> paths = io::find_checkpoints(checkpoint_folder(folder_));
    for (const std::string& path : paths) {
      try {
        check_in_child(path);
        checkpoint_ = io::read_checkpoint(path);
        result_.checkpoint = path;
        return;
      } catch (const InputError& error) {
        if (path == paths.back() && !is_complete())
          throw InputError("--resume {}: none of its {} can be read: {}; --replace begins anew", folder_,
                           console::counted(static_cast<Index>(paths.size()), "checkpoint"), error.what());
        remark(fmt::format("warning: {}; trying the checkpoint before it", error.what()));
      }
    }
  }

  void check_checkpoint() {
    const std::string& path = result_.checkpoint;
    compare(config::parse_config(checkpoint_->run.config_toml, path + ", /config"), checkpoint_->state);
    check_data(path, checkpoint_->run.data);
    if (checkpoint_->instruction_set != numerics::instruction_set()) {
      remark(
          fmt::format("warning: {} was computed with {}, this goes on with {}: not the bits of an "
                      "uninterrupted run; numerics.isa can hold all to one instruction set",
                      path, checkpoint_->instruction_set, numerics::instruction_set()));
    }
    result_.is_finished = is_complete() && checkpoint_->state.step == steps_planned();
    result_.state = checkpoint_->state;
    result_.run = std::move(checkpoint_->run);
    if (run_file_ && run_file_->launches.size() >= result_.run->launches.size())
      result_.run->launches = std::move(run_file_->launches);
    if (result_.is_finished) return;
    remark(fmt::format("going on after step {} of {}, from {}", console::grouped(result_.state.step),
                       console::grouped(steps_planned()), path));
  }

  void check_run_without_checkpoint() {
    const config::Config before =
        config::parse_config(run_file_->config_toml, run_file(folder_) + ", /config");
    training::State reached;
    if (is_complete()) {
      reached.step = before.training.epochs() * steps_per_epoch_;
      reached.phase = static_cast<Index>(before.training.phases.size()) - 1;
    }
    compare(before, reached);
    check_data(run_file(folder_), run_file_->data);
    result_.is_finished = is_complete() && reached.step == steps_planned();
    if (is_complete() && !result_.is_finished)
      throw InputError("{}: is finished and holds no checkpoint to go on from", folder_);
    if (result_.is_finished) return;
    result_.run = io::new_run(config_.text, config_.training.seed);
    result_.run->provenance.start_time = run_file_->provenance.start_time;
    result_.run->launches = std::move(run_file_->launches);
    remark(fmt::format("{} holds no checkpoint yet: beginning at the first step", folder_));
  }

  void compare(const config::Config& before, const training::State& reached) {
    try {
      config::check_changes(before, config_, reached, steps_per_epoch_);
    } catch (const InputError& error) {
      throw InputError("--resume {}: {}", folder_, error.what());
    }
    for (const config::Change& change : config::changes(before, config_)) {
      result_.config_changes.push_back(change.text());
      remark("config: " + change.text());
    }
  }

  void check_data(const std::string& path, const io::DataRecord& before) {
    const bool is_known = before.train_examples > 0;  // not in the first files
    if (is_known && before.train_examples != training_examples_)
      throw InputError("{}: made with {}; the data set has {}", path,
                       console::counted(before.train_examples, "training example"),
                       console::grouped(training_examples_));
    const std::vector<std::string> others = data::differences(before.contents, contents_);
    if (!others.empty())
      throw InputError("{}: made with other data than data.path leads to now: {}", path,
                       fmt::join(others, "; "));
  }

  /// Its last launch came to the end, and the result is there.
  bool is_complete() const {
    return run_file_ && run_file_->provenance.status == io::RunStatus::finished &&
           path_exists(model_file(folder_));
  }
  Index steps_planned() const { return config_.training.epochs() * steps_per_epoch_; }
  void remark(const std::string& text) { result_.remarks.push_back(console::one_line(text)); }

  std::string folder_;
  const config::Config& config_;
  const data::Contents& contents_;
  Index training_examples_;
  Index steps_per_epoch_;
  std::optional<io::RunSummary> run_file_;
  std::optional<io::Checkpoint> checkpoint_;
  Resumption result_;
};

/// Of the run file, else of the newest checkpoint that is whole.
io::DataRecord data_of_run(const std::string& folder) {
  std::vector<std::string> files = io::find_checkpoints(checkpoint_folder(folder));
  files.insert(files.begin(), run_file(folder));
  for (const std::string& path : files) {
    try {
      if (!path_exists(path)) continue;
      check_in_child(path);
      return io::read_data(path);
    } catch (const InputError&) {  // who looks for where to go on says so
    }
  }
  return {};
}

}  // namespace

io::DataRecord known_data(const comm::Communicator& world, const std::string& folder) {
  io::DataRecord record;
  comm::together(world, [&] {
    if (world.is_coordinator()) record = data_of_run(folder);
  });
  comm::broadcast_object(world, record.folder);
  comm::broadcast_object(world, record.contents.names);
  return record;
}

Resumption find_resumption(const comm::Communicator& world, const std::string& folder,
                           const config::Config& config, const data::Contents& contents) {
  Resumption result;
  comm::together(world, [&] {
    if (world.is_coordinator()) result = Search(folder, config, contents).found();
  });
  comm::broadcast_object(world, result.is_finished);
  comm::broadcast_object(world, result.checkpoint);
  if (result.is_finished || result.checkpoint.empty()) return result;
  comm::broadcast_object(world, result.state);
  return result;
}

}  // namespace dmoe::run
