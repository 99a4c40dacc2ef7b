#include "io/run_file.hpp"

#include <exception>
#include <filesystem>
#include <system_error>
#include <utility>

#include "core/version.hpp"
#include "io/format.hpp"

namespace dmoe::io {

namespace {

constexpr std::chrono::seconds longest_silence{10};

}  // namespace

RunSummary new_run(std::string config_toml, std::uint64_t seed) {
  RunSummary run;
  run.config_toml = std::move(config_toml);
  run.provenance = {std::string(build_info().version),
                    std::string(build_info().git_commit),
                    seed,
                    utc_now(),
                    "",
                    RunStatus::running};
  return run;
}

RunFile::RunFile(std::string path, RunSummary run, LaunchRecord launch)
    : path_(std::move(path)), run_(std::move(run)) {
  run_.provenance.status = RunStatus::running;
  run_.provenance.end_time.clear();
  launch.compiler = build_info().compiler;
  launch.start_time = utc_now();
  run_.launches.push_back(std::move(launch));
  write();
}

RunFile::~RunFile() {
  if (is_finished_) return;
  try {
    finish(RunStatus::failed, run_.launches.back().seconds);
  } catch (const std::exception&) {
    // The run's own error is the one to report; the file keeps its last complete state.
  }
}

void RunFile::began(const training::Plan& plan) {
  run_.phases = plan.phases;
}

void RunFile::logged(const training::LogRow& row) {
  run_.rows.push_back(row);
  if (std::chrono::steady_clock::now() - written_ >= longest_silence) write_if_worth();
}

void RunFile::evaluated(const training::EvaluationRow& row, const training::RankSeconds& seconds) {
  run_.evaluations.push_back(row);
  run_.launches.back().seconds = seconds;
  write_if_worth();
}

void RunFile::finish(RunStatus status, const training::RankSeconds& seconds) {
  run_.provenance.status = status;
  run_.provenance.end_time = utc_now();
  run_.launches.back().seconds = seconds;
  is_finished_ = true;
  write();
}

void RunFile::write_if_worth() {
  const std::size_t lacking = run_.rows.size() - written_rows_;
  if (file_bytes_ <= always_written || lacking * size(growth) >= written_rows_) write();
}

void RunFile::write() {
  const std::chrono::duration<double> since_start = std::chrono::steady_clock::now() - began_;
  run_.launches.back().wall_seconds = since_start.count();
  write_run(path_, run_);
  std::error_code gone;  // taken away by somebody
  const auto bytes = std::filesystem::file_size(path_, gone);
  file_bytes_ = gone ? 0 : static_cast<Index>(bytes);
  bytes_written_ += file_bytes_;
  written_rows_ = run_.rows.size();
  written_ = std::chrono::steady_clock::now();
}

}  // namespace dmoe::io
