#include "comm/check.hpp"

#include <string>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "core/error.hpp"
#include "support/message_of.hpp"
#include "support/world.hpp"

namespace dmoe::comm {
namespace {

using testing::AllOf;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::StartsWith;

TEST(Check, lets_success_pass) {
  EXPECT_NO_THROW(check(MPI_SUCCESS, "MPI_Barrier"));
}

TEST(Check, names_the_operation_the_error_and_the_place) {
  if (test::world().is_local()) return;  // MPI has words for its errors only once it has started
  const unsigned line = __LINE__ + 1;
  const auto fails = [] { check(MPI_ERR_RANK, "MPI_Isend"); };
  const std::string said = test::message_of<RunError>(fails);
  EXPECT_THAT(said, AllOf(StartsWith("MPI_Isend failed: "), ContainsRegex("MPI_ERR_RANK|Invalid rank"),
                          HasSubstr(fmt::format("check_test.cpp:{})", line))));
  EXPECT_EQ(said.find('\0'), std::string::npos);
}

}  // namespace
}  // namespace dmoe::comm
