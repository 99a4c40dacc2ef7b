#include "sweep/runner.hpp"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <list>
#include <memory>
#include <optional>
#include <sched.h>
#include <string>
#include <thread>

#include <fmt/format.h>

#include "console/console.hpp"
#include "console/terminal.hpp"
#include "console/wording.hpp"
#include "core/error.hpp"
#include "core/exit_status.hpp"
#include "core/paths.hpp"
#include "io/run_summary.hpp"
#include "run/folder.hpp"
#include "run/folder_lock.hpp"
#include "run/stop_signals.hpp"
#include "sweep/child_process.hpp"
#include "sweep/table.hpp"

namespace dmoe::sweep {

namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

/// Cores that this process may run on.
Index available_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  return sched_getaffinity(0, sizeof set, &set) == 0 ? std::max(1, CPU_COUNT(&set)) : 1;
}

double seconds_since(Clock::time_point began) {
  return std::chrono::duration<double>(Clock::now() - began).count();
}

/// Bytes of a file; 0 where there is none.
std::uintmax_t size_of(const std::string& file) {
  std::error_code missing;
  const std::uintmax_t bytes = fs::file_size(file, missing);
  return missing ? 0 : bytes;
}

/// "config.toml:3: .." of the last line "dmoe: config.toml:3: .." in a log behind its first bytes; or
/// nothing.
std::string last_message(const std::string& log, std::uintmax_t first_bytes) {
  const std::string prefix = "dmoe: ";
  std::ifstream stream(log, std::ios::binary);
  stream.seekg(static_cast<std::streamoff>(first_bytes));
  std::string message;
  for (std::string line; std::getline(stream, line);) {
    if (line.starts_with(prefix)) message = line.substr(prefix.size());
  }
  return message;
}

/// The folder of a sweep, held by one process at a time.
class Folder {
 public:
  explicit Folder(const std::string& path) {
    if (const std::string target = dangling_target(path); !target.empty())
      throw InputError("--output {}: is a link to {}, which is not there", path, target);
    std::error_code problem;
    for (const char* part : {"runs", "logs"}) {
      if (!problem) fs::create_directories(fs::path(path) / part, problem);
    }
    if (problem) throw InputError("--output {}: cannot make the folder: {}", path, problem.message());
    try {
      lock_.emplace(path);
    } catch (const InputError& error) {
      throw InputError("--output {}: {}", path, error.what());
    }
  }
  /// Empty, or why nothing is locked: the file system has no locks.
  const std::string& warning() const { return lock_->warning(); }

 private:
  std::optional<run::FolderLock> lock_;
};

/// Starts what is missing, as many side by side as there are cores, and keeps the tables up to date.
class Runner {
 public:
  Runner(const Options& options, const SweepPlan& plan)
      : options_(options),
        plan_(plan),
        cores_(options.cores > 0 ? options.cores : available_cores()),
        console_(std::cout, console::terminal_width()) {
    for (const PlannedRun& run : plan.runs) {
      const RunState state = state_of(options.output, run);
      const bool is_done = state == RunState::analyzed || (state == RunState::finished && !plan.analyzes);
      if (!is_done)
        waiting_.push_back({&run, state == RunState::finished ? Stage::analysis : Stage::training});
    }
    // The first seed of everything comes before the second of anything: a whole table, soon.
    waiting_.sort([](const Task& a, const Task& b) { return a.run->repetition < b.run->repetition; });
    done_before_ = done_ = total() - waiting_.size();
  }

  ExitStatus run() {
    console_.line(fmt::format("{}: {} done already, {} to do on {}",
                              console::counted(static_cast<Index>(total()), "run"), done_, waiting_.size(),
                              console::counted(cores_, "core")));
    write_tables();
    while (!running_.empty() || (!waiting_.empty() && !run::stop_requested())) {
      if (!run::stop_requested()) start_what_fits();
      if (run::stop_requested() && !is_stopping_) stop_all();
      if (is_stopping_ && seconds_since(stopping_) > static_cast<double>(options_.patience)) end_all();
      reap();
      show();
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    write_tables();
    return finish();
  }

 private:
  enum class Stage { training, analysis };
  struct Task {
    const PlannedRun* run;
    Stage stage;
  };
  struct Running {
    Task task;
    Clock::time_point began;
    std::uintmax_t log_before;  // bytes of its log that others wrote
    std::unique_ptr<ChildProcess> process;
  };

  std::size_t total() const { return plan_.runs.size(); }
  std::string log_of(const PlannedRun& run) const {
    return (fs::path(options_.output) / "logs" / (run.name + ".log")).string();
  }

  /// Cores that a task keeps busy.
  static Index cores_of(const Task& task) {
    return (task.stage == Stage::training ? task.run->ranks : 1) * task.run->config.numerics.threads;
  }

  static bool is_launched(const Task& task) { return task.stage == Stage::training && task.run->ranks > 1; }

  std::unique_ptr<ChildProcess> started(const Task& task) const {
    // After SIGTERM mpirun gives its ranks a moment, as little as a quarter of a second; SIGUSR1 it passes
    // on.
    return std::make_unique<ChildProcess>(arguments_of(task), log_of(*task.run),
                                          is_launched(task) ? SIGUSR1 : SIGTERM);
  }

  std::vector<std::string> arguments_of(const Task& task) const {
    const std::string folder = sweep_run_folder(options_.output, *task.run);
    std::vector<std::string> arguments;
    if (task.stage == Stage::analysis) {
      arguments = {program_, "analyze", folder};
      if (plan_.top) arguments.insert(arguments.end(), {"--top", fmt::format("{}", *plan_.top)});
      return arguments;
    }
    if (is_launched(task)) arguments = launcher_words(plan_.launcher, task.run->ranks);
    arguments.insert(arguments.end(), {program_, "train", task.run->config_path, "--output", folder,
                                       "--resume", "--progress", "log"});
    for (const std::string& setting : task.run->overrides())
      arguments.insert(arguments.end(), {"--set", setting});
    return arguments;
  }

  void start_what_fits() {
    Index busy = 0;
    for (const Running& other : running_) busy += cores_of(other.task);
    while (!waiting_.empty() && (running_.empty() || busy + cores_of(waiting_.front()) <= cores_)) {
      const Task task = waiting_.front();
      waiting_.pop_front();
      busy += cores_of(task);
      const std::uintmax_t log_before = size_of(log_of(*task.run));
      running_.push_back({task, Clock::now(), log_before, started(task)});
    }
  }

  void stop_all() {
    is_stopping_ = true;
    stopping_ = Clock::now();
    console_.line(fmt::format("stopping {}", console::counted(static_cast<Index>(running_.size()), "run")));
    for (Running& each : running_) each.process->stop();
  }

  /// What does not heed the request; its last checkpoint is whole. A launcher first ends its ranks.
  void end_all() {
    constexpr double moment = 20;  // seconds
    const bool is_first = !is_ending_;
    is_ending_ = true;
    for (Running& each : running_) {
      if (each.process->exit_status()) continue;
      if (is_first) {
        console_.line(fmt::format("{} has not stopped within {}: ending it", each.task.run->name,
                                  console::counted(options_.patience, "second")));
        each.process->terminate();
      } else if (seconds_since(stopping_) > static_cast<double>(options_.patience) + moment) {
        each.process->kill();
      }
    }
  }

  void reap() {
    for (auto each = running_.begin(); each != running_.end();) {
      const std::optional<int> status = each->process->exit_status();
      if (!status) {
        ++each;
        continue;
      }
      ended(*each, *status);
      each = running_.erase(each);
    }
  }

  void ended(const Running& ended, int status) {
    const PlannedRun& run = *ended.task.run;
    if (is_stopping_) return;
    std::string result;
    try {
      result = result_of(ended, status);
    } catch (const std::exception& problem) {  // of this run alone
      ++failed_;
      console_.line(fmt::format("FAILED {}: {}; see {}", run.name, problem.what(), log_of(run)));
      write_tables();
      return;
    }
    if (ended.task.stage == Stage::training) {
      seconds_ += seconds_since(ended.began);
      ++trained_;
      console_.line(fmt::format("{}/{} {}: {}, {}", done_before_ + trained_, total(), run.name, result,
                                console::duration(seconds_since(ended.began))));
      if (plan_.analyzes) {  // before anything new begins
        waiting_.push_front({&run, Stage::analysis});
        return;
      }
    }
    ++done_;
    write_tables();
  }

  /// "test error 1.62 %". Throws InputError or RunError where the run has not done what it was started for,
  /// whatever its status says: a launcher may have one of its own.
  std::string result_of(const Running& ended, int status) const {
    const PlannedRun& run = *ended.task.run;
    const bool trains = ended.task.stage == Stage::training;
    if (status == static_cast<int>(ExitStatus::stopped))
      throw RunError("was stopped; the same sweep goes on with it");
    const std::string command =
        fmt::format("{} ended with status {}", trains ? "dmoe train" : "dmoe analyze", status);
    if (status != 0) {
      const std::string message = last_message(log_of(run), ended.log_before);
      throw RunError("{}{}{}", command, message.empty() ? "" : ": ", message);
    }
    const RunState state = state_of(options_.output, run);
    const std::string file = run::run_file(sweep_run_folder(options_.output, run));
    if (state == RunState::missing) throw RunError("{} and left no {}", command, file);
    if (state == RunState::unfinished) throw RunError("{}, but {} is of an unfinished run", command, file);
    if (!trains && state != RunState::analyzed) throw RunError("{}, but {} has no analysis", command, file);
    const io::RunSummary summary = io::read_run(file);
    if (summary.evaluations.empty()) return "never evaluated";
    return fmt::format("test error {:.2f} %", 100 * summary.evaluations.back().test.error);
  }

  void write_tables() const {
    const std::vector<io::TableColumn> table = sweep_table(options_.output, plan_);
    io::write_table_csv((fs::path(options_.output) / "table.csv").string(), table);
    io::write_table_hdf5((fs::path(options_.output) / "table.h5").string(), table);
  }

  void show() {
    if (!console_.is_terminal() || seconds_since(shown_) < 0.5) return;
    shown_ = Clock::now();
    std::string left = "";
    if (trained_ > 0 && !running_.empty()) {
      const double of_one = seconds_ / static_cast<double>(trained_);
      const double rounds = static_cast<double>(waiting_.size()) / static_cast<double>(running_.size()) + 0.5;
      left = fmt::format(", about {} left", console::duration(of_one * rounds));
    }
    console_.live(fmt::format("{} of {} done, {} running, {} failed{}", done_, total(), running_.size(),
                              failed_, left));
  }

  ExitStatus finish() {
    const fs::path folder(options_.output);
    if (is_stopping_) {
      console_.line(
          fmt::format("stopped on request: {} of {} done; the same command goes on", done_, total()));
    } else {
      console_.line(fmt::format("{} of {} done, {} failed; table in {} and {}", done_, total(), failed_,
                                (folder / "table.csv").string(), (folder / "table.h5").string()));
    }
    console_.finish();
    if (!is_stopping_) fmt::print("\n{}", console::printable(sweep_summary(options_.output, plan_)));
    return is_stopping_ || failed_ > 0 ? ExitStatus::failed : ExitStatus::done;
  }

  const Options& options_;
  const SweepPlan& plan_;
  // This program; asked once, as one that was built anew meanwhile is no longer at the end of that link.
  std::string program_ = fs::read_symlink("/proc/self/exe").string();
  Index cores_;
  console::Console console_;
  std::list<Task> waiting_;
  std::list<Running> running_;
  std::size_t done_ = 0;
  std::size_t done_before_ = 0;  // by an earlier call
  std::size_t failed_ = 0;
  std::size_t trained_ = 0;  // in this process
  double seconds_ = 0;       // of them
  bool is_stopping_ = false;
  bool is_ending_ = false;
  Clock::time_point stopping_;  // since when
  Clock::time_point shown_;
};

}  // namespace

void print_plan(const Options& options, const SweepPlan& plan) {
  for (const PlannedRun& run : plan.runs) {
    const RunState state = state_of(options.output, run);
    const char* text = state == RunState::missing      ? "to do"
                       : state == RunState::unfinished ? "to go on"
                       : state == RunState::finished   ? "trained"
                                                       : "analysed";
    fmt::print("{:<12}{} ({})\n", text, console::printable(run.name), console::counted(run.ranks, "rank"));
  }
}

ExitStatus run_plan(const Options& options, const SweepPlan& plan) {
  const Folder folder(options.output);
  if (!folder.warning().empty()) fmt::print("{}\n", folder.warning());
  run::catch_stop_signals();
  return Runner(options, plan).run();
}

}  // namespace dmoe::sweep
