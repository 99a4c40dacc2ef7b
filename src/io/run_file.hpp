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
///
/// Of many experts the log is large, and to write all of it for every new row would make the bytes grow with
/// its square. So a file of more than `always_written` bytes waits at its evaluations and between them until
/// it has grown by a `growth`th: all rewrites of a launch together are then some `growth` + 1 times the file
/// of the end, and while the run goes on the file lacks a ninth of its rows at most. A checkpoint has all
/// rows up to its step: a run that was killed loses none. To add to the file in place would write less, but
/// then it is not whole while that goes on, nor after a kill in the midst of it: HDF5 changes headers and
/// indices where they are, its mode for a reader beside a writer (SWMR) leaves a file that others refuse to
/// open until h5clear, and parts in files of their own (external or virtual datasets) read as zeros where a
/// copy of run.h5 comes without them.
///
/// On the coordinator alone. Every function may throw RunError where the file cannot be written. Local.
class RunFile : public training::Observer {
 public:
  /// Files up to this size are written whenever there is something new [bytes].
  static constexpr Index always_written = 1 << 20;
  static constexpr Index growth = 8;

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
  /// By this launch, rewrites counted as often as they were made.
  Index bytes_written() const { return bytes_written_; }

 private:
  /// Where it is worth its bytes.
  void write_if_worth();
  void write();

  std::string path_;
  RunSummary run_;
  bool is_finished_ = false;
  std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
  std::chrono::steady_clock::time_point written_;
  Index file_bytes_ = 0;          // of the file as it is
  std::size_t written_rows_ = 0;  // of the log, in it
  Index bytes_written_ = 0;
};

}  // namespace dmoe::io
