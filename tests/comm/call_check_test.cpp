#include "comm/call_check.hpp"

#include <functional>
#include <map>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "comm/duplicate.hpp"
#include "comm/together.hpp"
#include "core/error.hpp"
#include "support/variable.hpp"
#include "support/world.hpp"

namespace dmoe::comm {
namespace {

using test::duplicate_of_world;
using test::Variable;
using test::world;
using testing::HasSubstr;

constexpr const char* variable = "DMOE_CHECK_COLLECTIVES";

/// The ranks of the world, who compare what they call where any of them asks for it.
Communicator checking_world(const char* asked = "1") {
  const Variable asks(variable, asked);
  return duplicate_of_world();
}

using Call = std::function<void(const Communicator&)>;

/// Collective calls that differ in kind, number or type, by what a message says of them.
std::map<std::string, Call> calls() {
  static std::vector<float> floats(3);
  static std::vector<std::int64_t> integers(3);
  static std::string text;
  return {
      {"broadcast of 3 floats", [](const Communicator& ranks) { ranks.broadcast(floats); }},
      {"broadcast of 2 floats",
       [](const Communicator& ranks) { ranks.broadcast(std::span(floats).first(2)); }},
      {"broadcast of 3 integers", [](const Communicator& ranks) { ranks.broadcast(integers); }},
      {"broadcast of a text", [](const Communicator& ranks) { ranks.broadcast(text); }},
      {"all-reduce of 3 integers", [](const Communicator& ranks) { ranks.all_reduce(integers); }},
      {"all-reduce of the largest", [](const Communicator& ranks) { ranks.all_reduce_max(1); }},
      {"reduce in any order of 3 floats", [](const Communicator& ranks) { ranks.reduce_any_order(floats); }},
      {"gather of 3 doubles", [](const Communicator& ranks) { ranks.gather(std::vector<double>(3)); }},
      {"gather of a text", [](const Communicator& ranks) { ranks.gather(text); }},
      {"barrier of all", [](const Communicator& ranks) { ranks.barrier(); }},
      {"together in ", [](const Communicator& ranks) { together(ranks, [] {}); }},
      {"HDF5's work on /loss", [](const Communicator& ranks) { ranks.compare("HDF5's work on", "/loss"); }},
  };
}

/// What a call throws; empty where it throws nothing.
std::string thrown(const Call& call, const Communicator& ranks) {
  try {
    call(ranks);
  } catch (const RunError& error) {
    return error.what();
  }
  return "";
}

TEST(CallCheck, lets_the_same_calls_be) {
  const Communicator ranks = checking_world();
  for (const auto& [name, call] : calls()) EXPECT_EQ(thrown(call, ranks), "") << name;
  std::vector<std::int64_t> values(2, ranks.rank() + 1);
  ranks.all_reduce(values);
  const int sum = ranks.size() * (ranks.size() + 1) / 2;
  EXPECT_THAT(values, testing::Each(sum));
}

TEST(CallCheck, names_the_calls_of_ranks_that_differ) {
  if (world().size() == 1) return;
  const int last = world().size() - 1;
  for (const auto& [expected, call] : calls()) {
    for (const auto& [different, other] : calls()) {
      if (expected == different) continue;
      const Communicator ranks = checking_world();
      const std::string message = thrown(ranks.rank() == last ? other : call, ranks);
      EXPECT_THAT(message, HasSubstr(fmt::format("rank 0: {}", expected)));
      EXPECT_THAT(message, HasSubstr(fmt::format("rank {}: {}", last, different)));
      EXPECT_THAT(message, HasSubstr("call_check_test.cpp:"));
      world().barrier();
    }
  }
}

TEST(CallCheck, names_the_place_of_each) {
  if (world().size() == 1) return;
  const Communicator ranks = checking_world();
  const unsigned here = __LINE__;
  const Call first = [](const Communicator& all) { all.barrier(); };
  const Call second = [](const Communicator& all) { all.compare("a call", "another kind"); };
  const std::string message = thrown(ranks.is_coordinator() ? first : second, ranks);
  EXPECT_THAT(message, HasSubstr(fmt::format("call_check_test.cpp:{})", here + 1)));
  EXPECT_THAT(message, HasSubstr(fmt::format("call_check_test.cpp:{})", here + 2)));
}

TEST(CallCheck, of_requests_does_not_make_anybody_wait_before_the_end) {
  const Communicator ranks = checking_world();
  std::vector<float> first{1, 2};
  std::vector<float> second{3};
  std::vector<float> message{static_cast<float>(ranks.rank())};
  // The last rank starts its second broadcast only when a message has come that the coordinator sends after
  // its own.
  const int last = ranks.size() - 1;
  Request one = ranks.start_broadcast(first);
  if (last > 0 && ranks.rank() == last) ranks.start_receive(message, 0, Tag::partial_sums).wait();
  Request two = ranks.start_broadcast(second);
  if (last > 0 && ranks.rank() == 0) ranks.start_send(message, last, Tag::partial_sums).wait();
  two.wait();
  one.wait();
  EXPECT_THAT(second, testing::ElementsAre(3));
  const float expected = ranks.rank() == last ? 0 : static_cast<float>(ranks.rank());
  EXPECT_EQ(message.front(), expected);
}

TEST(CallCheck, is_asked_for_by_any_rank) {
  if (world().size() == 1) return;
  const bool is_last = world().rank() == world().size() - 1;
  const Communicator ranks = checking_world(is_last ? "1" : "0");
  EXPECT_NE(thrown([&](const Communicator& all) { all.compare("call of rank", is_last ? "last" : "other"); },
                   ranks),
            "");
  const Communicator unchecked = checking_world("0");
  unchecked.compare("call of rank", is_last ? "last" : "other");
}

TEST(CallCheck, is_asked_for_by_an_empty_variable_as_by_none) {
  const auto asked_by = [](const char* value) {
    const Variable asks(variable, value);
    return asks_for_call_checks();
  };
  EXPECT_EQ(asked_by(""), asked_by(nullptr));
}

TEST(CallCheck, refuses_other_values) {
  for (const char* value : {" ", "yes", "2", "01"}) {
    const Variable asks(variable, value);
    EXPECT_THAT(
        [] { asks_for_call_checks(); },
        testing::ThrowsMessage<InputError>(HasSubstr(fmt::format("DMOE_CHECK_COLLECTIVES is '{}'", value))));
  }
}

}  // namespace
}  // namespace dmoe::comm
