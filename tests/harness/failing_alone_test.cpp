// The same for tests of one process.
#include <gtest/gtest.h>

#include "support/temporary_folder.hpp"

namespace {

TEST(Failing, is_skipped) {
  GTEST_SKIP();
}

TEST(Passing, folder_is_gone_afterwards) {
  std::filesystem::path path;
  {
    const dmoe::test::TemporaryFolder folder;
    path = folder.path();
    EXPECT_TRUE(std::filesystem::is_directory(path));
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

}  // namespace
