#include "config/changes.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/config_texts.hpp"
#include "core/error.hpp"
#include "support/message_of.hpp"

namespace dmoe::config {
namespace {

using test::message_of;
using test::small_config;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Config config(const std::vector<std::string>& overrides = {}) {
  return parse_config(small_config, "config.toml", overrides);
}

std::vector<std::string> texts(const Config& after) {
  std::vector<std::string> found;
  for (const Change& change : changes(config(), after)) found.push_back(change.text());
  return found;
}

training::State reached(Index step, Index phase) {
  training::State state;
  state.step = step;
  state.phase = phase;
  return state;
}

/// Ten steps an epoch; two epochs constrained, one of fine-tuning.
std::string refusal(const Config& after, const training::State& state = reached(15, 0)) {
  return message_of<InputError>([&] { check_changes(config(), after, state, 10); });
}
void expect_allowed(const Config& after, const training::State& state = reached(15, 0)) {
  EXPECT_NO_THROW(check_changes(config(), after, state, 10));
}

TEST(ConfigChanges, are_the_keys_that_differ) {
  EXPECT_THAT(texts(config()), IsEmpty());
  EXPECT_THAT(texts(config({"train.seed=8", "layers.2.hidden=9", "checkpoint.keep=5"})),
              ElementsAre("checkpoint.keep: 2 -> 5", "layers.2.hidden: 8 -> 9", "train.seed: 7 -> 8"));
  EXPECT_THAT(texts(config({"phases.fine_tune.balance={ rule = \"margin\", margin = 3 }"})),
              ElementsAre("phases.2.balance.margin: now 3.0", "phases.2.balance.rule: 'none' -> 'margin'"));
}

TEST(ConfigChanges, that_do_no_harm_are_allowed) {
  for (const char* change : {"train.log_every_steps=3", "train.stop_after=5m", "checkpoint.every_steps=4",
                             "evaluation.every_epochs=2", "comm.timeout=1m"}) {
    expect_allowed(config({change}));
  }
}

TEST(ConfigChanges, that_matter_are_refused_all_at_once) {
  EXPECT_THAT(refusal(config({"train.seed=8", "layers.1.experts=5"})),
              HasSubstr("where it matters: layers.1.experts: 4 -> 5; train.seed: 7 -> 8; resume with"));
  for (const char* change :
       {"train.batch_size=5", "train.momentum=0.5", "train.max_gradient_norm=2", "data.classes=5",
        "network.baseline=single", "numerics.threads=2", "phases.constrained.balance.margin=4",
        "phases.fine_tune.learning_rate.end=0.02", "phases.fine_tune.expert_rate_factor=2"}) {
    EXPECT_NE(refusal(config({change})), "") << change;
  }
}

TEST(ConfigChanges, of_epochs_are_allowed_where_no_rate_that_was_used_changes) {
  expect_allowed(config({"phases.constrained.epochs=5"}));                  // a constant rate, in mid-phase
  expect_allowed(config({"phases.fine_tune.epochs=5"}));                    // has not begun
  expect_allowed(config({"phases.constrained.epochs=5"}), reached(20, 0));  // just ended
  EXPECT_THAT(refusal(config({"phases.constrained.epochs=1"})), HasSubstr("2 are begun"));
  EXPECT_THAT(refusal(config({"phases.constrained.epochs=5"}), reached(25, 1)),
              HasSubstr("the run is past it"));
  EXPECT_EQ(message_of<InputError>([] {
              check_changes(config({"phases.fine_tune.epochs=3"}), config({"phases.fine_tune.epochs=4"}),
                            reached(35, 1), 10);
            }).find("learning rates that were used would change") == std::string::npos,
            false);
}

TEST(ConfigChanges, may_add_phases_but_not_take_them_away) {
  const std::string more = small_config + R"([[phases]]
name = "more"
epochs = 2
balance = { rule = "none" }
learning_rate = { schedule = "constant", start = 0.01 }
)";
  expect_allowed(parse_config(more, "config.toml"));
  EXPECT_THAT(message_of<InputError>(
                  [&] { check_changes(parse_config(more, "config.toml"), config(), reached(15, 0), 10); }),
              HasSubstr("phases.3 is gone"));
}

}  // namespace
}  // namespace dmoe::config
