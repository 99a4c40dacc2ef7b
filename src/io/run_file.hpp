// The run file (run.h5), kept up to date while a run goes on.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "io/run_summary.hpp"
#include "training/observer.hpp"

namespace dmoe::io {

/// A run that nothing has happened in yet; what was trained, and on what, is to be filled in. Local.
RunSummary new_run(std::string config_toml, std::uint64_t seed);

/// Keeps everything in memory and writes the file whole: when made (status running), at each evaluation,
/// otherwise at most every 10 s, and at the end. Whoever opens it finds a complete file, after kill -9 too.
/// On the coordinator alone. Every function may throw RunError where the file cannot be written. Local.
class RunFile : public training::Observer {
 public:
  /// Begins a launch of a run, which may have had others before; compiler and time are filled in here.
  RunFile(std::string path, RunSummary run, LaunchRecord launch);
  /// A run that nobody finished has failed: tries once to write that.
  ~RunFile() override;

  void began(const training::Plan& plan) override;
  void logged(const training::LogRow& row) override;
  void evaluated(const training::EvaluationRow& row, const training::RankSeconds& seconds) override;
  /// The last word; nothing is written afterwards.
  void finish(RunStatus status, const training::RankSeconds& seconds);

  const std::string& path() const { return path_; }
  const RunSummary& summary() const { return run_; }

 private:
  void write();

  std::string path_;
  RunSummary run_;
  bool is_finished_ = false;
  std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
  std::chrono::steady_clock::time_point written_;
};

}  // namespace dmoe::io
