#include "scale/machine_file.hpp"

#include <gtest/gtest.h>

#include "core/error.hpp"
#include "support/message_of.hpp"

namespace dmoe::scale {
namespace {

const std::string text = R"(name = "mine"
[memory]
bandwidth = 2e10
[costs]
presenting = 1e-9
softmax = 2e-9
choosing = 3e-9
planning = 4e-9
[inner]
latency = 1e-6
bandwidth = 5e9
overhead = 0
[node]
ranks = 4
[products]
rows = [1, 8]
outputs = [10]
inputs = [20, 30]
forward = [1, 2, 3, 4]
input_gradient = [5, 6, 7, 8.5]
weight_gradient = [9, 10, 11, 12]
)";

std::string with(const std::string& line, const std::string& instead) {
  std::string changed = text;
  return changed.replace(changed.find(line), line.size(), instead);
}

TEST(MachineFile, says_each_constant) {
  const Machine machine = parse_machine(text, "m.toml");
  EXPECT_EQ(machine.name, "mine");
  EXPECT_EQ(machine.memory_bandwidth, 2e10);
  EXPECT_EQ(machine.presenting, 1e-9);
  EXPECT_EQ(machine.softmax, 2e-9);
  EXPECT_EQ(machine.choosing, 3e-9);
  EXPECT_EQ(machine.planning, 4e-9);
  EXPECT_EQ(machine.inner, (Link{1e-6, 5e9, 0}));
  EXPECT_EQ(machine.outer, machine.inner);
  EXPECT_EQ(machine.ranks_a_node, 4);
  EXPECT_FALSE(machine.at_once);
  EXPECT_TRUE(parse_machine(with("[products]", "[products]\nat_once = true"), "m.toml").at_once);
  EXPECT_DOUBLE_EQ(machine.forward(8, 10, 20), 3e-3);
  EXPECT_DOUBLE_EQ(machine.input_gradient(8, 10, 30), 8.5e-3);
  EXPECT_DOUBLE_EQ(machine.weight_gradient(1, 10, 30), 10e-3);
}

TEST(MachineFile, is_read_as_it_was_written) {
  Machine machine = parse_machine(text, "m.toml");
  machine.outer.latency = 1e-5;
  machine.at_once = true;
  const std::string written = to_toml(machine);
  const Machine again = parse_machine(written, "again");
  EXPECT_EQ(to_toml(again), written);
  EXPECT_EQ(again.outer.latency, 1e-5);
  EXPECT_EQ(again.inner.latency, 1e-6);
  EXPECT_EQ(again.ranks_a_node, 4);
  EXPECT_TRUE(again.at_once);
  EXPECT_DOUBLE_EQ(again.input_gradient(8, 10, 30), 8.5e-3);
}

TEST(MachineFile, keeps_the_curve_of_a_link) {
  const std::string curve = "overhead = 0\n[inner.messages]\nsizes = [8, 64]\none_way = [1e-6, 2e-6]\n";
  const Machine machine =
      parse_machine(with("overhead = 0\n", curve + "crossing = [3e-6, 5e-6]\n"), "m.toml");
  EXPECT_EQ(machine.inner.sizes, (std::vector<double>{8, 64}));
  EXPECT_EQ(machine.inner.one_way, (std::vector<double>{1e-6, 2e-6}));
  EXPECT_EQ(machine.inner.crossing, (std::vector<double>{3e-6, 5e-6}));
  EXPECT_EQ(parse_machine(to_toml(machine), "again").outer, machine.inner);
  const auto message = [&](const std::string& more) {
    return test::message_of<InputError>(
        [&] { parse_machine(with("overhead = 0\n", curve + more), "m.toml"); });
  };
  EXPECT_EQ(message(""), "m.toml:13: inner.messages.crossing must be an array of numbers");
  EXPECT_EQ(message("crossing = [1e-6]\n"),
            "m.toml:16: inner.messages.crossing must have 2 times, one of each size, got 1");
  EXPECT_EQ(message("crossing = [0.5, 0.25]\n"),
            "m.toml:16: inner.messages.crossing must be seconds that do not fall, got 0.25");
  const std::string one = "overhead = 0\n[inner.messages]\nsizes = [8]\none_way = [1]\ncrossing = [1]\n";
  EXPECT_EQ(test::message_of<InputError>([&] { parse_machine(with("overhead = 0\n", one), "m.toml"); }),
            "m.toml:14: inner.messages.sizes must be two at least, got 1");
  EXPECT_EQ(message("crossing = [1e-6, 0]\n"),
            "m.toml:16: inner.messages.crossing must be seconds above 0, got 0");
}

TEST(MachineFile, refuses_with_place_key_and_value) {
  const auto message = [](const std::string& wrong) {
    return test::message_of<InputError>([&] { parse_machine(wrong, "m.toml"); });
  };
  EXPECT_EQ(message(with("bandwidth = 2e10", "bandwidth = 0.5")),
            "m.toml:3: memory.bandwidth must be at least 1.0, got 0.5");
  EXPECT_EQ(message(with("latency = 1e-6", "latency = \"fast\"")),
            "m.toml:10: inner.latency must be a number, got the string \"fast\"");
  EXPECT_EQ(message(with("overhead = 0\n", "")), "m.toml:9: inner.overhead is missing; it must be a number");
  EXPECT_EQ(message(with("softmax", "sofmax")),
            "m.toml:6: unknown key costs.sofmax (did you mean softmax?); allowed: presenting, softmax, "
            "choosing, planning");
  EXPECT_EQ(message(with("rows = [1, 8]", "rows = [8, 1]")),
            "m.toml:16: products.rows must be integers from 1 on, ascending, got 1");
  EXPECT_EQ(message(with("[1, 2, 3, 4]", "[1, 2, 3]")),
            "m.toml:19: products.forward must have 4 times, rows x outputs x inputs, got 3");
  EXPECT_EQ(message(with("[1, 2, 3, 4]", "[1, 2, -3, 4]")),
            "m.toml:19: products.forward must be milliseconds above 0, got -3");
  EXPECT_EQ(message(with("forward", "forwards")),
            "m.toml:19: unknown key products.forwards; allowed: at_once, rows, outputs, inputs, "
            "forward, input_gradient, weight_gradient");
  EXPECT_EQ(message(with("[products]", "[products]\nat_once = 1")),
            "m.toml:16: products.at_once must be true or false, got 1");
  EXPECT_EQ(message("name = \"empty\"\n"), "m.toml: memory.bandwidth is missing; it must be a number");
}

}  // namespace
}  // namespace dmoe::scale
