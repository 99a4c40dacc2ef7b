#include "run/folder_lock.hpp"

#include <array>
#include <csignal>
#include <cstdlib>
#include <optional>
#include <sys/wait.h>
#include <unistd.h>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.hpp"
#include "support/message_of.hpp"
#include "support/temporary_folder.hpp"

namespace dmoe::run {
namespace {

using test::message_of;
using testing::HasSubstr;

TEST(FolderLock, is_held_once_and_says_by_whom) {
  const test::TemporaryFolder folder;
  std::optional<FolderLock> first(folder.path());
  EXPECT_EQ(first->warning(), "");
  setenv("SLURM_JOB_ID", "4711", 1);
  EXPECT_THAT(message_of<InputError>([&] { FolderLock second(folder.path()); }),
              HasSubstr(fmt::format(", pid {}", getpid())));
  first.reset();
  {
    const FolderLock in_a_job(folder.path());
    EXPECT_THAT(message_of<InputError>([&] { FolderLock third(folder.path()); }),
                HasSubstr("SLURM job 4711"));
  }
  unsetenv("SLURM_JOB_ID");
  const FolderLock again(folder.path());
}

TEST(FolderLock, ends_with_a_killed_process) {
  const test::TemporaryFolder folder;
  std::array<int, 2> ends{};
  ASSERT_EQ(pipe(ends.data()), 0);
  const pid_t holder = fork();
  if (holder == 0) {
    const FolderLock lock(folder.path());
    write(ends[1], "x", 1) == 1 ? pause() : 0;
    _exit(0);
  }
  char ready = 0;
  ASSERT_EQ(read(ends[0], &ready, 1), 1);
  EXPECT_THAT(message_of<InputError>([&] { FolderLock lock(folder.path()); }),
              HasSubstr(fmt::format(", pid {}", holder)));
  kill(holder, SIGKILL);
  waitpid(holder, nullptr, 0);
  const FolderLock lock(folder.path());
}

TEST(FolderLock, in_a_missing_folder_is_refused) {
  EXPECT_THAT(message_of<InputError>([] { FolderLock lock("/nowhere"); }),
              HasSubstr("cannot write into it: No such file or directory"));
}

}  // namespace
}  // namespace dmoe::run
