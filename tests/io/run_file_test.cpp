#include "io/run_file.hpp"

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <sys/wait.h>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.hpp"
#include "hdf5/atomic_file.hpp"
#include "hdf5/bytes.hpp"
#include "hdf5/file_size_limit.hpp"
#include "io/samples.hpp"
#include "support/temporary_folder.hpp"

namespace dmoe::io {
namespace {

using test::message_of;
using testing::HasSubstr;

const training::Plan plan{0, 200, 100, 2, {"constrained", "fine_tune"}, {100, 100}};
const training::RankSeconds seconds{{8, 1, 1, 0, 0}, {4, 2, 3, 1, 0}, {1, 2, 3, 4, 5}};

LaunchRecord first_launch() {
  LaunchRecord record;
  record.launch = test::sample_launch();
  return record;
}

/// A run whose file stands in `folder`.
std::unique_ptr<RunFile> run_in(const test::TemporaryFolder& folder) {
  RunSummary run = new_run("seed = 3\n", 3);
  run.network = test::sample_run().network;
  run.data = test::sample_run().data;
  return std::make_unique<RunFile>(folder / "run.h5", std::move(run), first_launch());
}

std::size_t files_in(const test::TemporaryFolder& folder) {
  const std::filesystem::directory_iterator entries(folder.path());
  return static_cast<std::size_t>(std::distance(begin(entries), end(entries)));
}

TEST(RunFile, is_there_from_the_start) {
  const test::TemporaryFolder folder;
  const auto file = run_in(folder);
  const RunSummary run = read_run(file->path());
  EXPECT_EQ(run.provenance.status, RunStatus::running);
  EXPECT_EQ(run.provenance.seed, 3U);
  EXPECT_EQ(run.provenance.end_time, "");
  EXPECT_EQ(run.config_toml, "seed = 3\n");
  ASSERT_EQ(run.launches.size(), 1U);
  EXPECT_EQ(run.launches[0].launch.command_line, "dmoe train a.toml");
  EXPECT_THAT(run.launches[0].compiler, HasSubstr("GNU"));
  EXPECT_TRUE(run.rows.empty());
  EXPECT_TRUE(run.evaluations.empty());
}

TEST(RunFile, is_written_at_each_evaluation) {
  const test::TemporaryFolder folder;
  const auto file = run_in(folder);
  file->began(plan);
  file->logged(test::sample_row(100, 0));
  EXPECT_TRUE(read_run(file->path()).rows.empty());  // not within 10 s
  file->evaluated(test::sample_evaluation(1, 0), seconds);
  const RunSummary run = read_run(file->path());
  EXPECT_EQ(run.rows.size(), 1U);
  EXPECT_EQ(run.evaluations.size(), 1U);
  EXPECT_EQ(run.phases, plan.phases);
  EXPECT_EQ(run.launches[0].seconds, seconds);
  EXPECT_EQ(run.provenance.status, RunStatus::running);
}

/// A row of one layer of so many experts.
training::LogRow wide_row(Index step, Index experts) {
  training::LogRow row = test::sample_row(step, 0);
  row.layers = {{std::vector<double>(size(experts), static_cast<double>(step)),
                 std::vector<double>(size(experts), 0.5)}};
  return row;
}

TEST(RunFile, of_many_experts_is_rewritten_as_it_grows) {
  constexpr Index experts = 1000;  // 16 kB a row
  constexpr Index rows = 200;
  const test::TemporaryFolder folder;
  const auto file = run_in(folder);
  Index step = 0;
  while (++step <= rows / 2) file->logged(wide_row(step, experts));
  file->evaluated(test::sample_evaluation(1, 0), seconds);
  ASSERT_EQ(read_run(file->path()).rows.size(), size(rows / 2));
  const Index before = file->bytes_written();
  Index rewrites = 0;
  for (Index seen = rows / 2; step <= rows; ++step) {
    file->logged(wide_row(step, experts));
    file->evaluated(test::sample_evaluation(step, 0), seconds);
    const auto found = static_cast<Index>(read_run(file->path()).rows.size());
    EXPECT_GE((found + 1) * (RunFile::growth + 1), step * RunFile::growth);
    EXPECT_TRUE(found == seen || found == step);
    rewrites += found == seen ? 0 : 1;
    seen = found;
  }
  EXPECT_GE(rewrites, 4);
  EXPECT_LE(rewrites, 6);  // ln 2 / ln (9/8)
  const auto bytes = static_cast<Index>(std::filesystem::file_size(file->path()));
  EXPECT_LE(file->bytes_written() - before, rewrites * bytes);
  file->finish(RunStatus::finished, seconds);
  const RunSummary run = read_run(file->path());
  ASSERT_EQ(run.rows.size(), size(rows));
  for (Index t = 0; t < rows; ++t) EXPECT_EQ(run.rows[size(t)].layers[0].totals.back(), t + 1);
  EXPECT_EQ(run.evaluations.size(), size(rows / 2 + 1));
}

TEST(RunFile, says_how_the_run_ended) {
  for (const RunStatus status : {RunStatus::finished, RunStatus::interrupted}) {
    const test::TemporaryFolder folder;
    auto file = run_in(folder);
    file->logged(test::sample_row(100, 0));
    file->finish(status, seconds);
    file.reset();
    const RunSummary run = read_run(folder / "run.h5");
    EXPECT_EQ(run.provenance.status, status);
    EXPECT_GE(run.provenance.end_time, run.provenance.start_time);
    EXPECT_EQ(run.rows.size(), 1U);
    EXPECT_EQ(files_in(folder), 1U);
  }
}

TEST(RunFile, of_a_run_that_threw_says_failed_and_keeps_its_rows) {
  const test::TemporaryFolder folder;
  const auto run_that_fails = [&] {
    const auto file = run_in(folder);
    file->logged(test::sample_row(100, 0));
    throw std::runtime_error("on purpose");
  };
  EXPECT_THROW(run_that_fails(), std::runtime_error);
  const RunSummary run = read_run(folder / "run.h5");
  EXPECT_EQ(run.provenance.status, RunStatus::failed);
  EXPECT_NE(run.provenance.end_time, "");
  EXPECT_EQ(run.rows.size(), 1U);
}

TEST(RunFile, that_cannot_be_written_leaves_the_last_complete_one) {
  const test::TemporaryFolder folder;
  auto file = run_in(folder);
  file->evaluated(test::sample_evaluation(1, 0), seconds);
  {
    const test::FileSizeLimit full(4000);
    EXPECT_THAT(message_of<RunError>([&] { file->evaluated(test::sample_evaluation(2, 0), seconds); }),
                HasSubstr("File too large"));
  }
  EXPECT_EQ(files_in(folder), 1U);
  EXPECT_EQ(read_run(folder / "run.h5").evaluations.size(), 1U);
  file.reset();
  EXPECT_EQ(read_run(folder / "run.h5").provenance.status, RunStatus::failed);
}

TEST(RunFile, is_complete_at_any_moment_and_after_kill_9) {
  const test::TemporaryFolder folder;
  run_in(folder)->finish(RunStatus::running, {});
  const pid_t writer = fork();
  if (writer == 0) {
    const auto file = run_in(folder);
    for (Index epoch = 1;; ++epoch) file->evaluated(test::sample_evaluation(epoch, 0), seconds);
  }
  std::size_t most = 0;
  while (most < 20) {
    const std::size_t found = read_run(folder / "run.h5").evaluations.size();
    EXPECT_TRUE(found == 0 || found >= most);
    most = std::max(most, found);
  }
  kill(writer, SIGKILL);
  waitpid(writer, nullptr, 0);
  EXPECT_GE(read_run(folder / "run.h5").evaluations.size(), most);
  hdf5::remove_abandoned(folder.path());
  EXPECT_EQ(files_in(folder), 1U);
}

TEST(RunFile, adds_a_launch_to_those_before) {
  const test::TemporaryFolder folder;
  RunSummary before = test::sample_run();
  LaunchRecord second = first_launch();
  second.first_step = 200;
  second.config_changes = {"train.log_every_steps: 10 -> 100"};
  const RunFile file(folder / "run.h5", before, second);
  const RunSummary read = read_run(folder / "run.h5");
  EXPECT_EQ(read.provenance.status, RunStatus::running);
  EXPECT_EQ(read.provenance.start_time, before.provenance.start_time);
  EXPECT_TRUE(read.provenance.end_time.empty());
  ASSERT_EQ(read.launches.size(), 2U);
  EXPECT_EQ(read.launches[0].start_time, before.launches[0].start_time);
  EXPECT_EQ(read.launches[0].config_changes, before.launches[0].config_changes);
  EXPECT_EQ(read.launches[1].first_step, 200);
  EXPECT_EQ(read.launches[1].config_changes, second.config_changes);
  EXPECT_FALSE(read.launches[1].start_time.empty());
  EXPECT_EQ(read.rows.size(), before.rows.size());
}

TEST(RunFile, in_a_missing_folder_is_an_error) {
  const test::TemporaryFolder folder;
  EXPECT_THAT(message_of<RunError>([&] { RunFile(folder / "no/run.h5", {}, first_launch()); }),
              HasSubstr("No such file or directory"));
}

}  // namespace
}  // namespace dmoe::io
