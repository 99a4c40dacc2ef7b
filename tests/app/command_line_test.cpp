#include "app/command_line.hpp"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "balance/rule.hpp"
#include "core/exit_status.hpp"
#include "data/registry.hpp"
#include "training/schedule.hpp"

namespace dmoe::app {
namespace {

Request parse(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "dmoe");
  return parse_command_line(static_cast<int>(arguments.size()), arguments.data());
}

void expect_refused(const std::vector<const char*>& arguments, const std::string& message) {
  const Request request = parse(arguments);
  EXPECT_FALSE(request.action);
  EXPECT_EQ(request.status, ExitStatus::refused);
  EXPECT_EQ(request.text, message);
}

TEST(CommandLine, gives_help_for_itself_and_every_command) {
  EXPECT_EQ(parse({"--help"}).status, ExitStatus::done);
  for (const commands::Command& command : commands::commands()) {
    EXPECT_NE(parse({"--help"}).text.find("  " + command.name + " "), std::string::npos) << command.name;
    const Request request = parse({command.name.c_str(), "--help"});
    EXPECT_FALSE(request.action);
    EXPECT_EQ(request.status, ExitStatus::done);
    EXPECT_NE(request.text.find(command.help), std::string::npos) << request.text;
  }
}

TEST(CommandLine, help_of_train_lists_every_part_and_setting) {
  const std::string text = parse({"train", "--help"}).text;
  const auto expect_listed = [&](const auto& registry) {
    for (const auto& entry : registry.entries()) {
      EXPECT_NE(text.find(" = \"" + entry.name + "\"  " + entry.help), std::string::npos) << entry.name;
      for (const SettingSpec& setting : entry.settings) {
        EXPECT_NE(text.find("      " + setting.name + " = "), std::string::npos) << setting.name;
      }
    }
  };
  expect_listed(data::datasets());
  expect_listed(balance::rules());
  expect_listed(training::schedules());
}

TEST(CommandLine, says_its_version) {
  const Request request = parse({"--version"});
  EXPECT_EQ(request.status, ExitStatus::done);
  EXPECT_EQ(request.text.rfind("dmoe ", 0), 0U);
}

TEST(CommandLine, accepts_what_each_command_needs) {
  EXPECT_TRUE(parse({"train", "c.toml", "--output", "run"}).action);
  EXPECT_TRUE(parse({"train", "--set", "a=1", "--set", "b=2", "c.toml", "--output=run", "--replace"}).action);
  EXPECT_TRUE(parse({"train", "--set", "a=1", "c.toml", "--output=run", "--progress", "none"}).action);
  EXPECT_TRUE(parse({"evaluate", "run", "--split", "validation", "--set", "data.path=x"}).action);
  EXPECT_TRUE(parse({"analyze", "run", "--split", "train"}).action);
  EXPECT_TRUE(parse({"info", "run/run.h5"}).action);
  EXPECT_TRUE(parse({"bench", "step"}).action);
  EXPECT_TRUE(parse({"bench", "all", "--steps", "3", "--output", "table.csv"}).action);
  EXPECT_TRUE(parse({"bench", "machine", "--output", "machine.toml"}).action);
  EXPECT_TRUE(parse({"bench", "scale", "c.toml", "--set", "a=1", "--ranks", "1,2", "--json"}).action);
}

TEST(CommandLine, refuses_what_it_does_not_know) {
  expect_refused({"train"}, "dmoe: CONFIG.toml is required\nsee dmoe train --help\n");
  expect_refused({"train", "--resume"},
                 "dmoe: --resume without CONFIG.toml needs --output RUN\nsee dmoe train --help\n");
  expect_refused({"train", "c.toml", "--output", "run", "--speed"},
                 "dmoe: The following argument was not expected: --speed\nsee dmoe train --help\n");
  expect_refused(
      {"train", "c.toml", "--outptu=run"},
      "dmoe: The following argument was not expected: --outptu=run (did you mean --output?)\nsee dmoe "
      "train --help\n");
  expect_refused({"bench", "step", "--batch_size", "3"},
                 "dmoe: The following arguments were not expected: 3 --batch_size (did you mean "
                 "--batch-size?)\nsee dmoe bench --help\n");
  expect_refused(
      {"--versoin"},
      "dmoe: The following argument was not expected: --versoin (did you mean --version?)\nsee dmoe "
      "--help\n");
  expect_refused(
      {"train", "c.toml", "--output", "run", "--progress", "fancy"},
      "dmoe: --progress must be one of auto, line, log, none, got \"fancy\"\nsee dmoe train --help\n");
  expect_refused(
      {"evaluate", "run", "--split", "dev"},
      "dmoe: --split must be one of test, train, validation, got \"dev\"\nsee dmoe evaluate --help\n");
  expect_refused(
      {"tarin"},
      "dmoe: unknown command tarin (did you mean train?); known: help, train, evaluate, analyze, sweep, "
      "config, info, check, bench\n");
  expect_refused({"bench", "step", "--output", "table.txt"},
                 "dmoe: --output must end in .h5 or .csv, got \"table.txt\"\nsee dmoe bench --help\n");
  expect_refused({"bench"}, "dmoe: A subcommand is required\nsee dmoe bench --help\n");
}

TEST(CommandLine, refuses_a_bench_of_nothing_or_of_too_much) {
  for (const char* option :
       {"--batch-size", "--experts", "--chosen", "--hidden", "--rows", "--repetitions", "--steps"}) {
    EXPECT_TRUE(parse({"bench", "size", option, "1"}).action) << option;
    for (const char* value : {"0", "-1", "1000001", "1.5", "many", ""}) {
      const Request request = parse({"bench", "size", option, value});
      EXPECT_FALSE(request.action);
      EXPECT_EQ(request.status, ExitStatus::refused);
      EXPECT_NE(request.text.find(option), std::string::npos) << request.text;
    }
  }
  EXPECT_FALSE(parse({"bench", "size", "--precision", "float16"}).action);
  EXPECT_FALSE(parse({"bench", "speed"}).action);
}

TEST(CommandLine, keeps_apart_what_is_for_the_table_of_bench_and_what_is_not) {
  expect_refused({"bench", "--steps", "3", "scale", "c.toml"},
                 "dmoe: --steps is not for dmoe bench scale\nsee dmoe bench --help\n");
  EXPECT_FALSE(parse({"bench", "scale", "c.toml", "--steps", "3"}).action);
  EXPECT_FALSE(parse({"bench", "step", "--machine", "m.toml"}).action);
  EXPECT_FALSE(parse({"bench", "scale"}).action);
  EXPECT_FALSE(parse({"bench", "scale", "c.toml", "--inputs", "3"}).action);
  EXPECT_FALSE(parse({"bench", "scale", "c.toml", "--ranks", "1,0"}).action);
}

TEST(CommandLine, without_a_command_shows_what_there_is) {
  const Request request = parse({});
  EXPECT_EQ(request.status, ExitStatus::refused);
  EXPECT_EQ(request.text.rfind("dmoe: no command given\n", 0), 0U);
  EXPECT_NE(request.text.find("evaluate"), std::string::npos);
}

}  // namespace
}  // namespace dmoe::app
