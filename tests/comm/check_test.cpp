#include "comm/check.hpp"

#include <string>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "core/error.hpp"
#include "support/world.hpp"

namespace dmoe::comm {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

TEST(Check, lets_success_pass) {
  EXPECT_NO_THROW(check(MPI_SUCCESS, "MPI_Barrier"));
}

TEST(Check, names_the_operation_the_error_and_the_place) {
  if (test::world().is_local()) return;  // MPI has words for its errors only once it has started
  try {
    check(MPI_ERR_RANK, "MPI_Isend");
    FAIL() << "did not throw";
  } catch (const RunError& error) {
    EXPECT_THAT(error.what(), AllOf(StartsWith("MPI_Isend failed: "), HasSubstr("MPI_ERR_RANK"),
                                    HasSubstr(fmt::format("check_test.cpp:{})", __LINE__ - 4))));
    EXPECT_EQ(std::string(error.what()).find('\0'), std::string::npos);
  }
}

}  // namespace
}  // namespace dmoe::comm
