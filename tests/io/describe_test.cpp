#include "io/describe.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.hpp"
#include "hdf5/bytes.hpp"
#include "io/analysis_file.hpp"
#include "io/model_file.hpp"
#include "io/run_summary.hpp"
#include "io/samples.hpp"
#include "support/temporary_folder.hpp"

namespace dmoe::io {
namespace {

using test::message_of;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

std::string description_of(const RunSummary& run) {
  const test::TemporaryFolder folder;
  write_run(folder / "run.h5", run);
  return describe(folder / "run.h5");
}

TEST(Describe, tells_how_and_where_a_run_went) {
  const std::string text = description_of(test::sample_run());
  EXPECT_THAT(text, HasSubstr("run.h5: a run of dmoe 0.1.0 (abc123)"));
  EXPECT_THAT(text, ContainsRegex("status +finished\n"));
  EXPECT_THAT(text, HasSubstr("2026-01-02T03:04:05Z to 2026-01-02T03:11:22Z (7 min 17 s)"));
  EXPECT_THAT(text, HasSubstr("3 ranks on node1 (2 ranks), node2, 2 threads each; Open MPI 4.1.4"));
  EXPECT_THAT(text, HasSubstr("A CPU (avx512)"));
  EXPECT_THAT(text, HasSubstr("200 steps, epoch 2 (phase constrained)"));
  EXPECT_THAT(text, HasSubstr("loss 0.4250 nats, error 22.50 %, learning rate 0.25, 1235 examples/s"));
}

TEST(Describe, tells_best_and_last_evaluation) {
  const std::string text = description_of(test::sample_run());
  EXPECT_THAT(text,
              ContainsRegex("best \\(v.\\) +1 +2\\.60 +0\\.1000 +3\\.00 +0\\.3000 +2\\.00 +0\\.2000\n"));
  EXPECT_THAT(text, ContainsRegex("last +3 +2\\.80 +0\\.1020 +3\\.20 +0\\.3020 +2\\.20 +0\\.2020\n"));
}

TEST(Describe, tells_shares_and_masked_fractions) {
  RunSummary run = test::sample_run();
  run.rows = {test::sample_row(100, 0), test::sample_row(400, 0)};
  run.rows[1].layers[0].masked_fraction = {0.1, 0};
  // Masked in 50 % of 100 steps and 10 % of 300: 20 % of all.
  EXPECT_THAT(description_of(run),
              ContainsRegex("layer 1 +share +25\\.0 +75\\.0\n +masked +20\\.0 +0\\.0\n"));
}

TEST(Describe, tells_only_the_range_of_many_experts) {
  RunSummary run = test::sample_run();
  run.rows.resize(1);
  run.rows[0].layers = {{std::vector<double>(20, 5.0), std::vector<double>(20, 0.0)}};
  EXPECT_THAT(description_of(run), HasSubstr("5.0 to 5.0 over 20 experts"));
}

TEST(Describe, tells_where_the_time_went) {
  const std::string text = description_of(test::sample_run());
  EXPECT_THAT(text, ContainsRegex("rank 0 +80\\.0 +10\\.0 +10\\.0 +0\\.0 +0\\.0 +10\\.0\n"));
  EXPECT_THAT(text, ContainsRegex("rank 1 +40\\.0 +20\\.0 +30\\.0 +10\\.0 +0\\.0 +10\\.0\n"));
}

TEST(Describe, tells_of_a_run_that_has_just_begun) {
  RunSummary run = test::sample_run();
  run.rows.clear();
  run.evaluations.clear();
  run.provenance.status = RunStatus::running;
  run.provenance.end_time.clear();
  const std::string text = description_of(run);
  EXPECT_THAT(text, ContainsRegex("status +running\n"));
  EXPECT_THAT(text, HasSubstr("since 2026-01-02T03:04:05Z"));
  EXPECT_THAT(text, HasSubstr("nothing logged yet"));
  EXPECT_THAT(text, Not(HasSubstr("evaluation")));
}

TEST(Describe, tells_the_analysis) {
  const test::TemporaryFolder folder;
  write_run(folder / "run.h5", test::sample_run());
  write_analysis(folder / "run.h5", test::sample_analysis("test"), "");
  const std::string text = describe(folder / "run.h5");
  EXPECT_THAT(text, HasSubstr("(50 test examples)"));
  EXPECT_THAT(text, ContainsRegex("layer +class +place\n +1 +0\\.625 \\(0\\.38\\) +0\\.200 \\(0\\.40\\)\n"));
}

TEST(Describe, tells_a_models_tensors) {
  const test::TemporaryFolder folder;
  const comm::Communicator alone = comm::Communicator::local();
  const model::NetworkSpec spec{6, 3, {{7, 5, 4}, {4, 3, 2}}};
  distribution::Network network(spec, alone, 3, 1);
  save_model(folder / "model.h5", network, "seed = 3\n", {7200, 12, 1});
  const std::string text = describe(folder / "model.h5");
  EXPECT_THAT(text, ContainsRegex("model.h5: a model of dmoe [0-9.]+ \\(.*\\), format version 1\n"));
  EXPECT_THAT(text, HasSubstr("7200 steps, 12 epochs"));
  EXPECT_THAT(text, ContainsRegex("layer 2 +mixture, 4 experts of 3 units, gate of 2 units\n"));
  EXPECT_THAT(text, ContainsRegex("experts/weight +\\(7, 5, 6\\)\n"));
  EXPECT_THAT(text, ContainsRegex("gate/output_weight +\\(4, 2\\)\n"));
  EXPECT_THAT(text, ContainsRegex(fmt::format("parameters +{}\n", spec.parameter_count())));
}

TEST(Describe, says_what_other_files_are) {
  const test::TemporaryFolder folder;
  hdf5::File::create_serial(folder / "a.h5").close();
  test::put_bytes(folder / "a.toml", "seed = 3\n");
  const auto message = [](const std::filesystem::path& path) {
    return message_of<InputError>([&] { describe(path); });
  };
  EXPECT_THAT(message(folder / "a.h5"), HasSubstr("an HDF5 file without dmoe's root attribute"));
  EXPECT_THAT(message(folder / "a.toml"), HasSubstr("a.toml: cannot open: it is not an HDF5 file"));
  EXPECT_THAT(message(folder / "none.h5"), HasSubstr("none.h5: cannot open: no such file"));
  EXPECT_THAT(message(folder.path()), HasSubstr("it is a folder; name a file in it"));
}

}  // namespace
}  // namespace dmoe::io
