#include "comm/session.hpp"

#include <new>
#include <string>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "comm/mpi_library.hpp"
#include "comm/unlaunched.hpp"
#include "core/error.hpp"
#include "support/world.hpp"

namespace dmoe::comm {
namespace {

using test::UnlaunchedTest;
using test::Variable;
using test::world;

class UnlaunchedSession : public UnlaunchedTest {};

TEST_F(UnlaunchedSession, has_a_local_world) {
  Session session;
  EXPECT_TRUE(session.world().is_local());
  EXPECT_EQ(session.library(), "none (one process)");
  session.finalize();
  EXPECT_TRUE(session.world().is_local());
}

TEST_F(UnlaunchedSession, may_be_had_twice_and_ended_twice) {
  Session first;
  Session second;
  first.finalize();
  first.finalize();
  EXPECT_EQ(second.world().all_reduce_max(7), 7);
  second.finalize();
}

TEST_F(UnlaunchedSession, refuses_tasks_that_cannot_find_each_other) {
  for (const char* alone : {"1", "0", ""}) {
    const Variable tasks("SLURM_STEP_NUM_TASKS", alone);
    EXPECT_NO_THROW(Session()) << alone;
  }
  const Variable tasks("SLURM_STEP_NUM_TASKS", "12");
  try {
    const Session session;
    FAIL() << "did not throw";
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("srun started 12 tasks"));
    EXPECT_THAT(error.what(), testing::HasSubstr("--mpi=pmix"));
  }
}

TEST(Session, has_the_world_of_the_launcher) {
  EXPECT_EQ(world().is_local(), !is_launched());
}

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

}  // namespace
}  // namespace dmoe::comm
