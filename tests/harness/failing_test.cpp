// Tests that fail on purpose, each in one way; harness_test.py runs them one at a time and looks at what
// happens.
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>

#include <gtest/gtest.h>

#include "support/temporary_folder.hpp"
#include "support/world.hpp"

namespace {

using dmoe::test::world;

int last() {
  return world().size() - 1;
}

TEST(Failing, last_rank_fails_while_others_wait) {
  ASSERT_NE(world().rank(), last()) << "failed on purpose";
  world().barrier();
}

TEST(Failing, last_rank_throws_while_others_wait) {
  if (world().rank() == last()) throw std::runtime_error("thrown on purpose");
  world().barrier();
}

TEST(Failing, last_rank_fails_and_goes_on) {
  EXPECT_NE(world().rank(), last()) << "failed on purpose";
  world().barrier();
}

TEST(Failing, is_skipped) {
  GTEST_SKIP();
}

TEST(Passing, folder_is_the_same_on_all_ranks) {
  const dmoe::test::TemporaryFolder folder(world());
  std::ofstream(folder / std::to_string(world().rank())) << "x";
  world().barrier();
  for (int rank = 0; rank < world().size(); ++rank) {
    EXPECT_TRUE(std::filesystem::exists(folder / std::to_string(rank)));
  }
  if (world().is_coordinator()) std::printf("folder %s\n", folder.path().c_str());
}

}  // namespace
