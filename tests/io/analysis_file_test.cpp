#include "io/analysis_file.hpp"

#include <cmath>
#include <limits>

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

TEST(AnalysisFile, is_nothing_before_an_analysis) {
  const test::TemporaryFolder folder;
  write_run(folder / "run.h5", test::sample_run());
  EXPECT_FALSE(read_analysis(folder / "run.h5").has_value());
}

TEST(AnalysisFile, is_read_back) {
  const test::TemporaryFolder folder;
  write_run(folder / "run.h5", test::sample_run());
  const analysis::Analysis written = test::sample_analysis("test");
  write_analysis(folder / "run.h5", written, "seed = 3\n");
  const auto found = read_analysis(folder / "run.h5");
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->split, "test");
  EXPECT_EQ(found->examples, 50);
  ASSERT_EQ(found->layers.size(), 2U);
  for (std::size_t l = 0; l < 2; ++l) {
    EXPECT_EQ(found->layers[l].mean_gate, written.layers[l].mean_gate);
    EXPECT_EQ(found->layers[l].balance, written.layers[l].balance);
    EXPECT_EQ(found->layers[l].openness, written.layers[l].openness);
    ASSERT_EQ(found->layers[l].factors.size(), 2U);
    for (std::size_t f = 0; f < 2; ++f) {
      const analysis::FactorMap& is = found->layers[l].factors[f];
      const analysis::FactorMap& expected = written.layers[l].factors[f];
      EXPECT_EQ(is.factor, expected.factor);
      EXPECT_EQ(is.levels, expected.levels);
      EXPECT_EQ(is.axes, expected.axes);
      EXPECT_EQ(is.mean_gate, expected.mean_gate);
      for (const auto& [found_one, written_one] :
           {std::pair(&is.soft, &expected.soft), std::pair(&is.hard, &expected.hard)}) {
        EXPECT_EQ(found_one->observed, written_one->observed);
        EXPECT_EQ(found_one->null, written_one->null);
      }
    }
  }
}

TEST(AnalysisFile, holds_what_follows_from_the_measured) {
  const test::TemporaryFolder folder;
  write_run(folder / "run.h5", test::sample_run());
  write_analysis(folder / "run.h5", test::sample_analysis("test"), "");
  const hdf5::File file = hdf5::File::open_read(folder / "run.h5");
  const std::string layer = "/analysis/layers/2";
  EXPECT_EQ(file.read<std::int64_t>(layer + "/dead"), (std::vector<std::int64_t>{0, 1}));
  EXPECT_EQ(file.read<double>(layer + "/mutual_information/class/p_value"),
            (std::vector<double>{1.0 / 3, 2.0 / 3}));
  EXPECT_EQ(file.read_attribute<std::int64_t>("/analysis", "permutation_seed"), 9);
}

TEST(AnalysisFile, has_pairs_that_were_not_left_out_and_the_top_of_one_layer) {
  const test::TemporaryFolder folder;
  write_run(folder / "run.h5", test::sample_run());
  analysis::Analysis written = test::sample_analysis("test");
  written.top = written.pairs[0]->top;
  written.top->index.resize(2);
  written.top->gate.resize(2);
  written.top->input.resize(6);
  written.pairs = {std::nullopt, written.pairs[0]};
  write_analysis(folder / "run.h5", written, "seed = 3\n");
  const hdf5::File file = hdf5::File::open_read(folder / "run.h5");
  EXPECT_FALSE(file.exists("/analysis/pairs/1"));
  EXPECT_EQ(file.read<double>("/analysis/pairs/2/joint", {2, 2}), written.pairs[1]->joint);
  EXPECT_EQ(file.read<std::int64_t>("/analysis/pairs/2/top_examples/index", {2, 2, 1}),
            written.pairs[1]->top.index);
  EXPECT_EQ(file.read<float>("/analysis/pairs/2/top_examples/input", {2, 2, 1, 3}),
            written.pairs[1]->top.input);
  EXPECT_EQ(file.read<float>("/analysis/layers/1/top_examples/gate", {2, 1}), written.top->gate);
}

TEST(AnalysisFile, replaces_the_analysis_and_nothing_else) {
  const test::TemporaryFolder folder;
  const std::string path = folder / "run.h5";
  write_run(path, test::sample_run());
  {
    hdf5::File file = hdf5::File::open_read_write(path);
    file.write("/mine/notes", std::vector<double>{1, 2}, {2}, {"1", {"note"}});
    file.close();
  }
  analysis::Analysis first = test::sample_analysis("train");
  write_analysis(path, first, "");
  first.split = "test";
  first.layers.pop_back();
  write_analysis(path, first, "");
  EXPECT_EQ(read_analysis(path)->split, "test");
  EXPECT_EQ(read_analysis(path)->layers.size(), 1U);
  EXPECT_EQ(read_run(path).rows.size(), 2U);
  EXPECT_EQ(hdf5::File::open_read(path).read<double>("/mine/notes"), (std::vector<double>{1, 2}));
}

TEST(AnalysisFile, keeps_levels_without_examples_apart) {
  const test::TemporaryFolder folder;
  write_run(folder / "run.h5", test::sample_run());
  analysis::Analysis written = test::sample_analysis("test");
  written.layers[0].factors[0].mean_gate[1] = std::numeric_limits<double>::quiet_NaN();
  write_analysis(folder / "run.h5", written, "seed = 3\n");
  EXPECT_TRUE(std::isnan(read_analysis(folder / "run.h5")->layers[0].factors[0].mean_gate[1]));
}

TEST(AnalysisFile, of_another_format_is_refused_and_left_alone) {
  const test::TemporaryFolder folder;
  const std::string path = folder / "run.h5";
  write_run(path, test::sample_run());
  hdf5::File::open_read_write(path).write_attribute("/", "format", "dmoe-model");
  const std::string before = test::bytes_of(path);
  EXPECT_THAT(message_of<InputError>([&] { write_analysis(path, test::sample_analysis("test"), ""); }),
              HasSubstr("run.h5: its format is dmoe-model, expected dmoe-run"));
  EXPECT_EQ(test::bytes_of(path), before);
}

}  // namespace
}  // namespace dmoe::io
