#include "scale/workload.hpp"

#include <gmock/gmock.h>

#include "core/error.hpp"

namespace dmoe::scale {
namespace {

using testing::ElementsAre;

const std::string text = R"(
[data]
name = "synthetic"
[[layers]]
kind = "mixture"
experts = 7
hidden = 10
gate_hidden = 6
[[layers]]
kind = "mixture"
experts = 3
hidden = 8
gate_hidden = 5
[train]
batch_size = 50
slices = 4
momentum = 0.9
[[phases]]
name = "dense"
epochs = 2
balance = { rule = "none" }
learning_rate = { schedule = "constant", start = 0.1 }
[[phases]]
name = "routed"
epochs = 3
balance = { rule = "none" }
routing = { rule = "top_k", k = 3 }
learning_rate = { schedule = "constant", start = 0.1 }
)";

TEST(Workload, is_that_of_the_phase) {
  const config::Config config = config::parse_config(text, "c.toml");
  const model::NetworkSpec network{20, 4, config.layers};
  const training::PhaseSpec& longest = longest_phase(config);
  EXPECT_EQ(longest.name, "routed");
  const Workload routed = workload_of(config, longest, network);
  EXPECT_THAT(routed.chosen, ElementsAre(3, 0));  // all 3 of 3 are the dense mixture
  EXPECT_EQ(routed.rows, 50);
  EXPECT_EQ(routed.slices, 4);
  EXPECT_TRUE(routed.has_momentum);
  EXPECT_FALSE(routed.clips);
  EXPECT_THAT(workload_of(config, config.training.phases[0], network).chosen, ElementsAre(0, 0));
  EXPECT_EQ(routed.in_one_slice().slices, 1);
}

TEST(MostRows, are_those_of_the_replica_with_the_most_slices) {
  Workload work;
  work.rows = 50;
  work.slices = 4;  // of 13 rows, the last of 11
  EXPECT_THAT(most_rows(work, 1).of_slices, ElementsAre(13, 13, 13, 11));
  EXPECT_EQ(most_rows(work, 1).rows, 50);
  EXPECT_THAT(most_rows(work, 2).of_slices, ElementsAre(13, 13));
  EXPECT_THAT(most_rows(work, 3).of_slices, ElementsAre(13, 13));
  EXPECT_THAT(most_rows(work, 4).of_slices, ElementsAre(13));
  work.slices = 1;
  EXPECT_THAT(most_rows(work, 1).of_slices, ElementsAre(50));
}

}  // namespace
}  // namespace dmoe::scale
