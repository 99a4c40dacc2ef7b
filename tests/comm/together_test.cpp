#include "comm/together.hpp"

#include <new>
#include <stdexcept>
#include <string>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "core/error.hpp"
#include "support/world.hpp"

namespace dmoe::comm {
namespace {

using test::world;

/// The kind and the message of what `together` throws on this rank; empty where it throws nothing.
std::string outcome(const std::function<void()>& body) {
  try {
    together(world(), body);
  } catch (const InputError& error) {
    return fmt::format("input: {}", error.what());
  } catch (const RunError& error) {
    return fmt::format("run: {}", error.what());
  }
  return "";
}

TEST(Together, runs_the_body_once_on_every_rank) {
  int runs = 0;
  EXPECT_EQ(outcome([&] { ++runs; }), "");
  EXPECT_EQ(runs, 1);
}

TEST(Together, throws_the_lowest_failing_ranks_error_on_all) {
  const unsigned subsets = 1U << static_cast<unsigned>(world().size());
  for (unsigned failing = 0; failing < subsets; ++failing) {
    for (const int input_parity : {0, 1}) {
      const auto fails = [&](int rank) { return (failing >> static_cast<unsigned>(rank) & 1U) != 0; };
      const auto is_input = [&](int rank) { return rank % 2 == input_parity; };
      const auto body = [&] {
        if (!fails(world().rank())) return;
        if (is_input(world().rank())) throw InputError("rank {} of {}", world().rank(), failing);
        throw RunError("rank {} of {}", world().rank(), failing);
      };
      int lowest = 0;
      while (lowest < world().size() && !fails(lowest)) ++lowest;
      const std::string expected =
          lowest == world().size()
              ? ""
              : fmt::format("{}: rank {} of {}", is_input(lowest) ? "input" : "run", lowest, failing);
      EXPECT_EQ(outcome(body), expected);
    }
  }
  EXPECT_EQ(world().all_reduce_max(world().rank()), world().size() - 1);  // and the ranks are still in step
}

TEST(Together, makes_any_other_exception_a_run_error) {
  const bool is_last = world().rank() == world().size() - 1;
  EXPECT_EQ(outcome([&] {
              if (is_last) throw std::logic_error("logic");
            }),
            "run: logic");
  EXPECT_EQ(outcome([&] {
              if (is_last) throw std::bad_alloc();
            }),
            "run: memory ran out; smaller batches and more ranks take less");
  EXPECT_EQ(outcome([&] {
              if (is_last) throw 42;
            }),
            "run: an exception of unknown type");
}

TEST(Together, keeps_messages_as_they_are) {
  const std::string long_text(100'000, 'x');
  for (const std::string& message : {std::string(), std::string("{} {0}\n{"), long_text}) {
    EXPECT_EQ(outcome([&] { throw InputError(message); }), "input: " + message);
    EXPECT_EQ(outcome([&] { throw RunError(message); }), "run: " + message);
  }
}

TEST(Together, marks_what_all_ranks_throw) {
  for (const int failing : {0, world().size() - 1}) {
    try {
      together(world(), [&] {
        if (world().rank() == failing) throw InputError("refused");
      });
      FAIL() << "did not throw";
    } catch (const std::exception& error) {
      EXPECT_TRUE(is_thrown_by_all(world(), error));
    }
  }
  EXPECT_FALSE(is_thrown_by_all(world(), InputError("alone")));
  // Of another communicator, of as many ranks even: others may know nothing of it.
  const Communicator other = Communicator::local();
  const OnAllRanks<RunError> of_other(other, "alone");
  EXPECT_FALSE(is_thrown_by_all(world(), of_other));
  EXPECT_TRUE(is_thrown_by_all(other, of_other));
}

}  // namespace
}  // namespace dmoe::comm
