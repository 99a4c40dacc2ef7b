#include "run/layout.hpp"

#include <gmock/gmock.h>

#include "core/error.hpp"
#include "model/routing.hpp"
#include "support/message_of.hpp"

namespace dmoe::run {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;

const model::NetworkSpec a{1296, 10, {{4, 100, 50}, {4, 100, 50}}};

config::Config config_of(Index rows, Index slices) {
  config::Config config;
  config.training.batch_size = rows;
  config.training.slices = slices;
  config.training.phases.push_back({"only", 1, {}, {}});
  return config;
}

Index chosen(Index rows, Index slices, int ranks) {
  return choose_layout(config_of(rows, slices), a, ranks).replicas;
}

TEST(ChooseLayout, shares_few_rows_by_shards_and_many_by_replicas) {
  EXPECT_EQ(chosen(16, 4, 2), 1);
  EXPECT_EQ(chosen(4096, 4, 2), 2);
}

TEST(ChooseLayout, says_why_where_there_is_more_than_one_answer) {
  const std::string number = "[0-9]+(\\.[0-9]+)? ms";
  EXPECT_THAT(choose_layout(config_of(16, 4), a, 2).reason,
              MatchesRegex("model: " + number + " a step, next best 2 replicas: " + number));
  EXPECT_EQ(choose_layout(config_of(64, 1), a, 2).reason, "");
  EXPECT_EQ(choose_layout(config_of(64, 4), a, 1).reason, "");
}

TEST(ChooseLayout, leaves_no_rank_idle) {
  EXPECT_EQ(chosen(64, 1, 4), 1);   // one slice: shards alone
  EXPECT_EQ(chosen(64, 4, 16), 4);  // more ranks than experts
  EXPECT_GE(chosen(64, 4, 8), 2);
  EXPECT_THAT(test::message_of<InputError>([] { chosen(64, 4, 11); }), HasSubstr("start 9 or 12"));
}

TEST(ChooseLayout, takes_what_the_config_says) {
  config::Config config = config_of(4096, 4);
  config.comm.replicas = 1;
  EXPECT_EQ(choose_layout(config, a, 2).replicas, 1);
  EXPECT_EQ(choose_layout(config, a, 2).reason, "");
}

TEST(ChooseLayout, lets_ranks_gate_their_own_rows_where_the_recipe_offers_it_and_that_is_faster) {
  const model::NetworkSpec many{256, 10, {{1024, 128, 32}, {1024, 128, 32}}};
  config::Config config = config_of(32768, 1);
  config.training.phases.front().routings = {{"top_k", {}}};
  config.training.phases.front().routings.front().settings =
      defaults(model::routings().find("top_k").settings);
  config.training.phases.front().routings.front().settings.set("k", std::int64_t{2});
  EXPECT_EQ(choose_layout(config, many, 64).gating, exchange::Gating::coordinator);
  config.training.gate_slices = 64;
  EXPECT_EQ(choose_layout(config, many, 64).gating, exchange::Gating::rows);
  EXPECT_EQ(choose_layout(config, many, 128).gating, exchange::Gating::coordinator);  // too few slices
  config.comm.gating = "coordinator";
  EXPECT_EQ(choose_layout(config, many, 64).gating, exchange::Gating::coordinator);
}

TEST(UsableRanks, are_the_most_that_have_work) {
  EXPECT_EQ(usable_ranks(config_of(64, 4), 7, 11), 10);
  EXPECT_EQ(usable_ranks(config_of(64, 1), 4, 8), 4);
}

TEST(UsableRanks, have_a_slice_of_the_gate_each_where_they_gate_rows_of_their_own) {
  config::Config config = config_of(64, 2);
  config.training.gate_slices = 2;
  config.comm.gating = "rows";
  EXPECT_EQ(usable_ranks(config, 8, 16), 2);  // one of 2, or 2 of 1
  config.training.gate_slices = 6;
  EXPECT_EQ(usable_ranks(config, 8, 16), 6);
  EXPECT_EQ(usable_ranks(config, 2, 16), 4);
  config.comm.replicas = 2;
  EXPECT_EQ(usable_ranks(config, 8, 5), 4);
  config.comm.gating = "auto";
  EXPECT_EQ(usable_ranks(config, 8, 16), 16);
}

}  // namespace
}  // namespace dmoe::run
