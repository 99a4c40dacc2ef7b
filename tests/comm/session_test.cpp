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

}  // namespace
}  // namespace dmoe::comm
