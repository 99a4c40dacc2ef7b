#include "io/run_summary.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.hpp"
#include "hdf5/bytes.hpp"
#include "hdf5/file.hpp"
#include "io/samples.hpp"
#include "support/temporary_folder.hpp"

namespace dmoe::io {
namespace {

using test::message_of;
using testing::HasSubstr;

TEST(RunSummary, provenance_and_launches_are_read_back) {
  const test::TemporaryFolder folder;
  RunSummary run = test::sample_run();
  run.launches.push_back(run.launches.front());
  run.launches.back().launch.command_line = "dmoe train --resume";
  run.launches.back().seconds.clear();
  write_run(folder / "run.h5", run);
  const RunSummary again = read_run(folder / "run.h5");
  EXPECT_EQ(again.config_toml, run.config_toml);
  EXPECT_EQ(again.network, run.network);
  EXPECT_EQ(again.phases, run.phases);
  EXPECT_EQ(again.provenance.version, "0.1.0");
  EXPECT_EQ(again.provenance.git_commit, "abc123");
  EXPECT_EQ(again.provenance.seed, 3U);
  EXPECT_EQ(again.provenance.start_time, "2026-01-02T03:04:05Z");
  EXPECT_EQ(again.provenance.end_time, "2026-01-02T03:11:22Z");
  EXPECT_EQ(again.provenance.status, RunStatus::finished);
  ASSERT_EQ(again.launches.size(), 2U);
  const Launch& launch = again.launches[0].launch;
  EXPECT_EQ(launch.command_line, "dmoe train a.toml");
  EXPECT_EQ(launch.hosts, (std::vector<std::string>{"node1", "node1", "node2"}));
  EXPECT_EQ(launch.mpi_library, "Open MPI 4.1.4");
  EXPECT_EQ(launch.ranks, 3);
  EXPECT_EQ(launch.threads, 2);
  EXPECT_EQ(launch.cpu, "A CPU");
  EXPECT_EQ(launch.instruction_set, "avx512");
  EXPECT_EQ(again.launches[0].compiler, "GNU 12.2.0");
  EXPECT_EQ(again.launches[0].seconds, run.launches[0].seconds);
  EXPECT_EQ(again.launches[1].launch.command_line, "dmoe train --resume");
  EXPECT_TRUE(again.launches[1].seconds.empty());
}

TEST(RunSummary, rows_are_read_back) {
  const test::TemporaryFolder folder;
  const RunSummary run = test::sample_run();
  write_run(folder / "run.h5", run);
  const RunSummary again = read_run(folder / "run.h5");
  ASSERT_EQ(again.rows.size(), run.rows.size());
  for (std::size_t t = 0; t < run.rows.size(); ++t) {
    const training::LogRow& found = again.rows[t];
    const training::LogRow& expected = run.rows[t];
    EXPECT_EQ(found.step, expected.step);
    EXPECT_EQ(found.epoch, expected.epoch);
    EXPECT_EQ(found.phase, expected.phase);
    EXPECT_EQ(found.loss, expected.loss);
    EXPECT_EQ(found.error, expected.error);
    EXPECT_EQ(found.learning_rate, expected.learning_rate);
    EXPECT_EQ(found.examples_per_second, expected.examples_per_second);
    ASSERT_EQ(found.layers.size(), 2U);
    for (std::size_t l = 0; l < 2; ++l) {
      EXPECT_EQ(found.layers[l].totals, expected.layers[l].totals);
      EXPECT_EQ(found.layers[l].masked_fraction, expected.layers[l].masked_fraction);
    }
  }
}

TEST(RunSummary, layers_without_a_gate_are_read_back_as_such) {
  const test::TemporaryFolder folder;
  RunSummary run = test::sample_run();
  for (training::LogRow& row : run.rows) row.layers.insert(row.layers.begin(), training::AssignmentRow{});
  write_run(folder / "run.h5", run);
  EXPECT_FALSE(hdf5::File::open_read(folder / "run.h5").exists("/layers/1"));
  const RunSummary again = read_run(folder / "run.h5");
  ASSERT_EQ(again.rows[1].layers.size(), 3U);
  EXPECT_TRUE(again.rows[1].layers[0].totals.empty());
  EXPECT_EQ(again.rows[1].layers[2].totals, run.rows[1].layers[2].totals);
  for (training::LogRow& row : run.rows) row.layers.assign(2, training::AssignmentRow{});
  write_run(folder / "run.h5", run);
  EXPECT_FALSE(hdf5::File::open_read(folder / "run.h5").exists("/layers"));
  EXPECT_TRUE(read_run(folder / "run.h5").rows[1].layers.empty());
}

TEST(RunSummary, evaluations_are_read_back) {
  const test::TemporaryFolder folder;
  RunSummary run = test::sample_run();
  for (const bool has_validation : {true, false}) {
    for (training::EvaluationRow& row : run.evaluations) row.has_validation = has_validation;
    write_run(folder / "run.h5", run);
    const RunSummary again = read_run(folder / "run.h5");
    ASSERT_EQ(again.evaluations.size(), run.evaluations.size());
    for (std::size_t k = 0; k < run.evaluations.size(); ++k) {
      const training::EvaluationRow& found = again.evaluations[k];
      const training::EvaluationRow& expected = run.evaluations[k];
      EXPECT_EQ(found.epoch, expected.epoch);
      EXPECT_EQ(found.test.loss, expected.test.loss);
      EXPECT_EQ(found.test.error, expected.test.error);
      EXPECT_EQ(found.train.loss, expected.train.loss);
      EXPECT_EQ(found.train.error, expected.train.error);
      EXPECT_EQ(found.has_validation, has_validation);
      EXPECT_EQ(found.validation.loss, has_validation ? expected.validation.loss : 0);
      EXPECT_EQ(found.validation.error, has_validation ? expected.validation.error : 0);
    }
    EXPECT_EQ(hdf5::File::open_read(folder / "run.h5").exists("/evaluation/validation_loss"), has_validation);
  }
}

TEST(RunSummary, of_a_model_file_is_refused) {
  const test::TemporaryFolder folder;
  write_run(folder / "run.h5", test::sample_run());
  hdf5::File::open_read_write(folder / "run.h5").write_attribute("/", "format", "dmoe-model");
  EXPECT_THAT(message_of<InputError>([&] { read_run(folder / "run.h5"); }),
              HasSubstr("run.h5: its format is dmoe-model, expected dmoe-run"));
}

TEST(RunSummary, of_columns_that_do_not_fit_together_is_refused) {
  const test::TemporaryFolder folder;
  write_run(folder / "run.h5", test::sample_run());
  {
    hdf5::File file = hdf5::File::open_read_write(folder / "run.h5");
    file.remove("/train/loss");
    file.write("/train/loss", std::vector<double>{1, 2, 3}, {3}, {"nats", {"interval"}});
    file.close();
  }
  EXPECT_THAT(message_of<InputError>([&] { read_run(folder / "run.h5"); }),
              HasSubstr("run.h5: cannot read /train/loss: its shape is (3), expected (2)"));
}

TEST(RunSummary, of_an_unknown_status_is_refused) {
  const test::TemporaryFolder folder;
  write_run(folder / "run.h5", test::sample_run());
  hdf5::File::open_read_write(folder / "run.h5").write_attribute("/provenance", "status", "asleep");
  EXPECT_THAT(
      message_of<InputError>([&] { read_run(folder / "run.h5"); }),
      HasSubstr(
          "/provenance @status: the status is 'asleep', expected running, finished, interrupted, failed"));
}

}  // namespace
}  // namespace dmoe::io
