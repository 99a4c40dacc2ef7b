#include "sweep/plan.hpp"

#include <fstream>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "config/config_texts.hpp"
#include "core/error.hpp"
#include "support/message_of.hpp"
#include "support/temporary_folder.hpp"

namespace dmoe::sweep {
namespace {

using test::small_config;
using Settings = std::vector<std::pair<std::string, std::string>>;

/// A folder with the configs small.toml and large.toml, and a sweep beside them.
class SweepPlanTest : public testing::Test {
 protected:
  void SetUp() override {
    write("small.toml", small_config);
    write("large.toml", test::with(small_config, "hidden = 10", "hidden = 40"));
  }

  void write(const std::string& name, const std::string& text) const {
    std::filesystem::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name) << text;
  }
  SweepPlan plan(const std::string& text) const {
    write("sweep.toml", text);
    return read_sweep(folder_ / "sweep.toml");
  }
  /// The message that refuses a sweep, without the folder.
  std::string refusal(const std::string& text) const {
    return without_folder(test::message_of([&] { plan(text); }));
  }
  std::string without_folder(std::string text) const {
    const std::string prefix = folder_.path().string() + "/";
    for (std::size_t at = text.find(prefix); at != std::string::npos; at = text.find(prefix)) {
      text.erase(at, prefix.size());
    }
    return text;
  }

  test::TemporaryFolder folder_;
};

std::vector<std::string> names(const SweepPlan& plan) {
  std::vector<std::string> all;
  for (const PlannedRun& run : plan.runs) all.push_back(run.name);
  return all;
}

TEST_F(SweepPlanTest, has_a_run_for_each_combination_the_last_key_changing_fastest) {
  const SweepPlan sweep = plan(R"(
[[grids]]
train.seed = [0, 1]
network.baseline = ["none", "single"]
config = ["small.toml", "large.toml"]
)");
  EXPECT_EQ(names(sweep), (std::vector<std::string>{
                              "small,network.baseline=none,train.seed=0",
                              "small,network.baseline=none,train.seed=1",
                              "small,network.baseline=single,train.seed=0",
                              "small,network.baseline=single,train.seed=1",
                              "large,network.baseline=none,train.seed=0",
                              "large,network.baseline=none,train.seed=1",
                              "large,network.baseline=single,train.seed=0",
                              "large,network.baseline=single,train.seed=1",
                          }));
  EXPECT_EQ(sweep.keys, (std::vector<std::string>{"network.baseline", "train.seed"}));
  const PlannedRun& last = sweep.runs.back();
  EXPECT_EQ(last.config_path, folder_ / "large.toml");
  EXPECT_EQ(last.settings, (Settings{{"network.baseline", "single"}, {"train.seed", "1"}}));
  EXPECT_EQ(last.overrides(), (std::vector<std::string>{"network.baseline=single", "train.seed=1"}));
  EXPECT_EQ(last.config.layers[0].hidden, 40);
  EXPECT_EQ(last.config.baseline, model::Baseline::single);
  EXPECT_EQ(last.config.training.seed, 1U);
}

TEST_F(SweepPlanTest, has_defaults) {
  const SweepPlan sweep = plan("[[grids]]\nconfig = \"small.toml\"\n");
  EXPECT_EQ(sweep.ranks, 1);
  EXPECT_TRUE(sweep.analyzes);
  EXPECT_FALSE(sweep.top);
  EXPECT_NE(sweep.launcher.find("mpirun"), std::string::npos);
  EXPECT_EQ(names(sweep), (std::vector<std::string>{"small"}));
  EXPECT_EQ(sweep.runs[0].config.text, config::parse_config(small_config, "small.toml").text);
  EXPECT_TRUE(sweep.runs[0].overrides().empty());
  EXPECT_TRUE(sweep.keys.empty());
}

TEST_F(SweepPlanTest, holds_what_stands_above_the_grids) {
  const SweepPlan sweep =
      plan("ranks = 2\nanalyze = false\nlauncher = 'srun -n {ranks}'\n[[grids]]\nconfig = 'small.toml'\n");
  EXPECT_EQ(sweep.ranks, 2);
  EXPECT_FALSE(sweep.analyzes);
  EXPECT_EQ(sweep.launcher, "srun -n {ranks}");
}

TEST_F(SweepPlanTest, says_how_runs_are_analysed) {
  const std::string grids = "[[grids]]\nconfig = 'small.toml'\n";
  EXPECT_TRUE(plan("analyze = true\n" + grids).analyzes);
  EXPECT_FALSE(plan("analyze = true\n" + grids).top);
  EXPECT_TRUE(plan("analyze = { top = 16 }\n" + grids).analyzes);
  EXPECT_EQ(plan("analyze = { top = 16 }\n" + grids).top, 16);
  EXPECT_EQ(plan("[analyze]\ntop = 3\n" + grids).top, 3);
}

TEST_F(SweepPlanTest, puts_runs_into_a_group_that_differ_in_the_seed_alone) {
  const SweepPlan sweep = plan(R"(
[[grids]]
config = "small.toml"
train.momentum = [0.25, 0.5]
train.seed = [0, 1]
[[grids]]
config = ["small.toml", "large.toml"]
)");
  std::vector<std::string> groups;
  for (const PlannedRun& run : sweep.runs) groups.push_back(run.group);
  EXPECT_EQ(groups, (std::vector<std::string>{"small,train.momentum=0.25", "small,train.momentum=0.25",
                                              "small,train.momentum=0.5", "small,train.momentum=0.5", "small",
                                              "large"}));
}

TEST(LauncherWords, have_the_number_of_ranks_wherever_it_is_wanted) {
  using Words = std::vector<std::string>;
  EXPECT_EQ(launcher_words("mpirun -n {ranks}", 2), (Words{"mpirun", "-n", "2"}));
  EXPECT_EQ(launcher_words("  srun  -n {ranks} --nodes={ranks}:{ranks}", 16),
            (Words{"srun", "-n", "16", "--nodes=16:16"}));
}

TEST_F(SweepPlanTest, makes_a_run_once_that_stands_in_several_grids) {
  const SweepPlan sweep = plan(R"(
[[grids]]
config = "small.toml"
train.seed = [0, 1, 0]
[[grids]]
config = ["./small.toml", "large.toml"]
train.seed = [1, 2]
[[grids]]
config = "small.toml"
train.momentum = 0.5
)");
  EXPECT_EQ(names(sweep), (std::vector<std::string>{"small,train.seed=0", "small,train.seed=1",
                                                    "small,train.seed=2", "large,train.seed=1",
                                                    "large,train.seed=2", "small,train.momentum=0.5"}));
  EXPECT_EQ(sweep.keys, (std::vector<std::string>{"train.momentum", "train.seed"}));
}

TEST_F(SweepPlanTest, counts_the_seeds_of_a_grid) {
  const SweepPlan sweep = plan(R"(
[[grids]]
config = "small.toml"
train.seed = [7, 3, 5]
train.momentum = [0.25, 0.5]
[[grids]]
config = "large.toml"
)");
  std::vector<Index> repetitions;
  for (const PlannedRun& run : sweep.runs) repetitions.push_back(run.repetition);
  EXPECT_EQ(repetitions, (std::vector<Index>{0, 1, 2, 0, 1, 2, 0}));
}

TEST_F(SweepPlanTest, takes_tables_dotted_and_quoted_keys_alike) {
  const std::vector<std::string> expected{
      "small,phases.constrained.learning_rate.start=0.1,train.batch_size=10,train.seed=3",
      "small,phases.constrained.learning_rate.start=0.1,train.batch_size=10,train.seed=4"};
  for (const char* grid : {R"(
phases.constrained.learning_rate.start = 0.1
train.batch_size = 10
train.seed = [3, 4]
)",
                           R"(
"train.batch_size" = 10
train.seed = [3, 4]
"phases.constrained.learning_rate.start" = 0.1
)",
                           R"(
train = { seed = [3, 4], batch_size = 10 }
phases.constrained."learning_rate.start" = [1e-1]
)"}) {
    const SweepPlan sweep = plan(std::string("[[grids]]\nconfig = 'small.toml'\n") + grid);
    EXPECT_EQ(names(sweep), expected) << grid;
    EXPECT_EQ(sweep.runs[1].config.training.seed, 4U);
    EXPECT_EQ(sweep.runs[1].config.training.phases[0].schedule.settings.real("start"), 0.1);
  }
}

TEST_F(SweepPlanTest, keeps_every_bit_of_a_number) {
  const SweepPlan sweep = plan("[[grids]]\nconfig = 'small.toml'\ntrain.momentum = 0.1428571428571428492\n");
  EXPECT_EQ(sweep.runs[0].config.training.momentum, 0.1428571428571428492);
}

TEST_F(SweepPlanTest, finds_configs_beside_the_sweep_file) {
  write("inner/small.toml", test::with(small_config, "seed = 7", "seed = 8"));
  write("inner/sweep.toml", "[[grids]]\nconfig = ['small.toml', '../large.toml']\n");
  const SweepPlan sweep = read_sweep(folder_ / "inner/sweep.toml");
  EXPECT_EQ(names(sweep), (std::vector<std::string>{"small", "large"}));
  EXPECT_EQ(sweep.runs[0].config_path, folder_ / "inner/small.toml");
  EXPECT_EQ(sweep.runs[0].config.training.seed, 8U);
  EXPECT_EQ(sweep.runs[1].config_path, folder_ / "large.toml");
}

TEST_F(SweepPlanTest, gives_a_run_no_more_ranks_than_can_have_work) {
  const auto ranks = [&](int of_all) {
    const SweepPlan sweep = plan(fmt::format(R"(
ranks = {}
[[grids]]
config = "small.toml"
network.baseline = ["none", "concatenated", "single", "dense_wide_first", "dense_equal_widths"]
[[grids]]
config = "small.toml"
layers.1.experts = 3
)",
                                             of_all));
    std::vector<Index> each;
    for (const PlannedRun& run : sweep.runs) each.push_back(run.ranks);
    return each;
  };
  EXPECT_EQ(ranks(8),
            (std::vector<Index>{4, 4, 4, 1, 1, 3}));  // 4 and 3 experts; single and dense: the first
  EXPECT_EQ(ranks(2), (std::vector<Index>{2, 2, 2, 1, 1, 2}));
  EXPECT_EQ(ranks(1), (std::vector<Index>{1, 1, 1, 1, 1, 1}));
}

TEST_F(SweepPlanTest, gives_replicas_ranks_of_their_own) {
  const auto ranks = [&](const std::string& settings) {
    return plan("ranks = 11\n[[grids]]\nconfig = 'small.toml'\n" + settings).runs.front().ranks;
  };
  EXPECT_EQ(ranks("train.slices = 4\n"), 9);  // 3 replicas of 3; of 4 experts
  EXPECT_EQ(ranks("train.slices = 4\ncomm.replicas = 2\n"), 8);
  EXPECT_EQ(ranks("train.slices = 4\ncomm.replicas = 4\n"), 8);
  EXPECT_EQ(ranks("train.slices = 4\nnetwork.baseline = 'dense_wide_first'\n"), 4);
  EXPECT_EQ(refusal("[[grids]]\nconfig = 'small.toml'\ntrain.slices = 4\ncomm.replicas = 2\n"),
            "sweep.toml:1: grids.1: comm.replicas is 2, but there are no more than 1 rank");
  EXPECT_EQ(refusal("ranks = 8\n[[grids]]\nconfig = 'small.toml'\ncomm.replicas = 2\n"),
            "sweep.toml:2: grids.1: comm.replicas is 2, but train.slices is 1: a replica needs a slice of "
            "the batch");
}

TEST_F(SweepPlanTest, names_folders_below_the_sweep_alone) {
  const SweepPlan sweep =
      plan("[[grids]]\nconfig = 'small.toml'\ndata.name = 'mnist'\ndata.path = '/my digits/..'\n");
  EXPECT_EQ(names(sweep), (std::vector<std::string>{"small,data.name=mnist,data.path=_my_digits_.."}));
  EXPECT_EQ(sweep.runs[0].config.data.settings.text("path"), "/my digits/..");
}

TEST_F(SweepPlanTest, says_what_is_missing) {
  EXPECT_EQ(refusal(""), "sweep.toml: at least one [[grids]] is needed");
  EXPECT_EQ(refusal("ranks = 2\n"), "sweep.toml: at least one [[grids]] is needed");
  EXPECT_EQ(refusal("grids = []\n"), "sweep.toml:1: grids needs at least one table, [[grids]]");
  EXPECT_EQ(refusal("\n[[grids]]\ntrain.seed = 0\n"),
            "sweep.toml:2: grids.1.config is missing; it must be a config file, or an array of them");
  EXPECT_EQ(refusal("[[grids]]\nconfig = 'small.toml'\n[[grids]]\n"),
            "sweep.toml:3: grids.2.config is missing; it must be a config file, or an array of them");
}

TEST_F(SweepPlanTest, refuses_values_that_an_override_cannot_be) {
  const auto refusal_of = [&](const std::string& line) {
    return refusal("[[grids]]\nconfig = 'small.toml'\n" + line + "\n");
  };
  const std::string rest = " must be a number or a string, or an array of them";
  EXPECT_EQ(refusal_of("train.seed = []"), "sweep.toml:3: train.seed needs at least one value");
  EXPECT_EQ(refusal_of("train.seed = true"), "sweep.toml:3: train.seed" + rest);
  EXPECT_EQ(refusal_of("train.seed = 1979-05-27"), "sweep.toml:3: train.seed" + rest);
  EXPECT_EQ(refusal_of("train.seed = [0, [1]]"), "sweep.toml:3: train.seed" + rest);
  EXPECT_EQ(refusal_of("train.seed = [{ a = 1 }]"), "sweep.toml:3: train.seed" + rest);
  EXPECT_EQ(refusal_of("\"train.seed\" = 1\ntrain.seed = 2"),
            "sweep.toml:1: grids.1: train.seed is there twice");
}

TEST_F(SweepPlanTest, checks_every_config_with_its_settings) {
  EXPECT_EQ(
      refusal("[[grids]]\nconfig = 'small.toml'\n[[grids]]\nconfig = 'small.toml'\ntrain.sed = [0, 1]\n"),
      "sweep.toml:3: grids.2: --set train.sed=0: unknown key train.sed (did you mean seed?); allowed: seed, "
      "batch_size, slices, gate_slices, momentum, weight_decay, max_gradient_norm, log_every_steps, "
      "stop_after");
  EXPECT_EQ(refusal("[[grids]]\nconfig = 'small.toml'\ntrain.momentum = [0.5, 1]\n"),
            "sweep.toml:1: grids.1: --set train.momentum=1: train.momentum must be below 1.0, got 1.0");
  EXPECT_EQ(refusal("[[grids]]\nconfig = ['small.toml', 'none.toml']\n"),
            "sweep.toml:1: grids.1: none.toml: cannot read the config: No such file or directory");
  write("bad.toml", test::with(small_config, "batch_size = 20", "batch_size = 0"));
  EXPECT_EQ(refusal("[[grids]]\nconfig = 'bad.toml'\n"),
            "sweep.toml:1: grids.1: bad.toml:17: train.batch_size must be at least 1, got 0");
}

TEST_F(SweepPlanTest, refuses_two_runs_of_one_name) {
  write("inner/small.toml", small_config);
  EXPECT_EQ(refusal("[[grids]]\nconfig = 'small.toml'\n[[grids]]\nconfig = 'inner/small.toml'\n"),
            "sweep.toml:3: small.toml and inner/small.toml would both be called small; give one of the files "
            "another name");
  EXPECT_EQ(refusal("[[grids]]\nconfig = 'small.toml'\ntrain.seed = 0\n"
                    "[[grids]]\nconfig = 'inner/small.toml'\ntrain.seed = 1\n"),
            "sweep.toml:4: small.toml and inner/small.toml would both be called small; give one of the files "
            "another name");
  EXPECT_EQ(
      refusal("[[grids]]\nconfig = 'small.toml'\ndata.name = 'mnist'\ndata.path = ['a/b', 'a_b']\n"),
      "sweep.toml:1: small.toml with data.name=mnist, data.path=a/b and small.toml with data.name=mnist, "
      "data.path=a_b would both be the run small,data.name=mnist,data.path=a_b; move the settings "
      "of one to its own config");
}

TEST_F(SweepPlanTest, refuses_two_runs_of_one_effective_config) {
  const auto refusal_of = [&](const std::string& grids) { return refusal("[[grids]]\n" + grids); };
  const std::string rest = " are one run, as their effective configs are equal; leave one out";
  EXPECT_EQ(
      refusal_of("config = 'small.toml'\n[[grids]]\nconfig = 'small.toml'\nnetwork.baseline = 'none'\n"),
      "sweep.toml:3: small.toml and small.toml with network.baseline=none" + rest);
  EXPECT_EQ(
      refusal_of("config = 'small.toml'\ntrain.momentum = ['0.50', 0.5]\n"),
      "sweep.toml:1: small.toml with train.momentum=0.50 and small.toml with train.momentum=0.5" + rest);
  EXPECT_EQ(refusal_of("config = 'small.toml'\ntrain.seed = [6, 7]\n[[grids]]\nconfig = 'small.toml'\n"),
            "sweep.toml:4: small.toml with train.seed=7 and small.toml" + rest);
  write("copy.toml", small_config);
  EXPECT_EQ(refusal_of("config = ['small.toml', 'copy.toml']\n"),
            "sweep.toml:1: small.toml and copy.toml" + rest);
}

TEST_F(SweepPlanTest, refuses_what_no_file_system_takes) {
  const std::string message = refusal("[[grids]]\nconfig = 'small.toml'\ndata.name = 'mnist'\ndata.path = '" +
                                      std::string(230, 'x') + "'\n");
  EXPECT_EQ(message.find("sweep.toml:1: grids.1: the name of the run small,data.name=mnist,data.path=xxx"),
            0U)
      << message;
  EXPECT_NE(message.find("is longer than 250 bytes"), std::string::npos) << message;
  std::string large = "[[grids]]\nconfig = 'small.toml'\n";
  for (const char* key : {"train.seed", "train.batch_size", "train.log_every_steps", "layers.1.hidden",
                          "layers.2.hidden", "layers.1.experts"}) {
    large += fmt::format("{} = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]\n", key);
  }
  EXPECT_EQ(refusal(large), "sweep.toml:1: grids.1 has more than 100000 runs");
}

TEST_F(SweepPlanTest, refuses_unknown_keys_and_values_out_of_range_above_the_grids) {
  const std::string grids = "[[grids]]\nconfig = 'small.toml'\n";
  EXPECT_EQ(refusal("rank = 2\n" + grids),
            "sweep.toml:1: unknown key rank (did you mean ranks?); allowed: ranks, analyze, launcher, grids");
  EXPECT_EQ(refusal("ranks = 0\n" + grids), "sweep.toml:1: ranks must be at least 1, got 0");
  EXPECT_EQ(refusal("\nanalyze = 1\n" + grids),
            "sweep.toml:2: analyze must be true, false or a table such as { top = 16 }");
  EXPECT_EQ(refusal("analyze = { top = 0 }\n" + grids),
            "sweep.toml:1: analyze.top must be at least 1, got 0");
  EXPECT_EQ(refusal("analyze = { tip = 1 }\n" + grids),
            "sweep.toml:1: unknown key analyze.tip (did you mean top?); allowed: top");
  EXPECT_EQ(refusal("analyze = {}\n" + grids), "sweep.toml:1: analyze.top is missing; it must be an integer");
  EXPECT_EQ(refusal("\nlauncher = 'mpirun -n 2'\n" + grids),
            "sweep.toml:2: launcher must say where the number of ranks goes, as {ranks}");
}

TEST_F(SweepPlanTest, refuses_what_is_no_sweep_file) {
  const auto refusal_to_read = [&](const std::string& name) {
    return without_folder(test::message_of([&] { read_sweep(folder_ / name); }));
  };
  EXPECT_EQ(refusal_to_read("missing.toml"),
            "missing.toml: cannot read the sweep: No such file or directory");
  std::filesystem::create_directory(folder_ / "folder");
  EXPECT_EQ(refusal_to_read("folder"), "folder: cannot read the sweep: it is a folder");
  EXPECT_EQ(refusal("ranks = \n").rfind("sweep.toml:1:", 0), 0U);
}

}  // namespace
}  // namespace dmoe::sweep
