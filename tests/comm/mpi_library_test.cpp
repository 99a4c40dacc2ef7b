#include "comm/mpi_library.hpp"

#include <string>

#include <gmock/gmock.h>

#include "comm/unlaunched.hpp"

namespace dmoe::comm {
namespace {

using test::Variable;

class Launchers : public test::UnlaunchedTest {};

TEST_F(Launchers, are_told_by_their_variables) {
  EXPECT_FALSE(is_launched());
  for (const char* name : {"OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "PMI_RANK"}) {
    const Variable set(name, "0");
    EXPECT_TRUE(is_launched()) << name;
  }
  const Variable slurm("SLURM_STEP_NUM_TASKS", "2");  // srun without a process manager
  EXPECT_FALSE(is_launched());
}

TEST_F(Launchers, tell_rank_and_size) {
  EXPECT_EQ(launched_rank(), 0);
  EXPECT_EQ(launched_size(), 1);
  struct Named {
    const char *rank, *size;
  };
  for (const auto& [rank, size] :
       {Named{"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"}, Named{"PMI_RANK", "PMI_SIZE"},
        Named{"PMIX_RANK", "SLURM_STEP_NUM_TASKS"}}) {
    const Variable third(rank, "2");
    const Variable of_four(size, "4");
    EXPECT_EQ(launched_rank(), 2) << rank;
    EXPECT_EQ(launched_size(), 4) << size;
  }
}

TEST_F(Launchers, own_variables_are_told_from_those_of_the_user) {
  for (const char* of_launcher : {"OMPI_COMM_WORLD_SIZE=2", "PMIX_RANK=0", "PMI_FD=7", "SLURM_PROCID=1",
                                  "MPI_LOCALRANKID=0", "HYDI_CONTROL_FD=3"})
    EXPECT_TRUE(is_of_launcher(of_launcher)) << of_launcher;
  for (const char* of_user :
       {"PATH=/bin", "OMP_NUM_THREADS=1", "MPIR_CVAR_POLLS_BEFORE_YIELD=1", "DMOE=OMPI_"})
    EXPECT_FALSE(is_of_launcher(of_user)) << of_user;
}

TEST_F(Launchers, are_seen_above_a_process_that_they_started) {
  EXPECT_EQ(launcher_process(), std::nullopt);
  const Variable pmix("PMIX_RANK", "0");  // srun: standard output is this process's own
  EXPECT_EQ(launcher_process(), std::nullopt);
  for (const char* name : {"OMPI_COMM_WORLD_SIZE", "MPI_LOCALNRANKS"}) {
    const Variable set(name, "1");
    EXPECT_THAT(launcher_process(), testing::Optional(testing::Gt(0))) << name;
  }
}

TEST(Library, has_the_same_name_in_build_and_run) {
  const std::string name = library_name();
  EXPECT_THAT(name, testing::MatchesRegex("[A-Za-z][A-Za-z() ]+ v?[0-9]+[0-9.a-z]*")) << name;
  EXPECT_EQ(name.substr(0, 5), built_with().substr(0, 5));
}

TEST_F(Launchers, have_a_default_with_a_place_for_the_ranks) {
  EXPECT_THAT(default_launcher(), testing::MatchesRegex("mpi.* -n \\{ranks\\}"));
}

}  // namespace
}  // namespace dmoe::comm
