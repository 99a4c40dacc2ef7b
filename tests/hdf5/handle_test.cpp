#include "hdf5/handle.hpp"

#include <string>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <hdf5.h>

#include "core/error.hpp"
#include "hdf5/bytes.hpp"

namespace dmoe::hdf5 {
namespace {

using test::message_of;
using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

Handle some_space() {
  return {H5Screate(H5S_SCALAR), H5Sclose};
}

TEST(Handle, closes_what_it_owns) {
  Id id = -1;
  {
    const Handle space = some_space();
    id = space.id();
    EXPECT_GT(H5Iis_valid(id), 0);
  }
  EXPECT_EQ(H5Iis_valid(id), 0);
}

TEST(Handle, moves_without_closing) {
  Handle first = some_space();
  const Id id = first.id();
  Handle second(std::move(first));
  EXPECT_EQ(second.id(), id);
  Handle third;
  third = std::move(second);
  EXPECT_EQ(third.id(), id);
  EXPECT_GT(H5Iis_valid(id), 0);
  EXPECT_GE(third.close(), 0);
  EXPECT_FALSE(third.is_open());
  EXPECT_EQ(H5Iis_valid(id), 0);
}

TEST(Check, passes_results_on) {
  EXPECT_EQ(check(7, {Verb::read, "a.h5"}), 7);
}

TEST(Check, puts_the_system_reason_first) {
  prepare_library();
  const auto open_missing = [](Verb verb) {
    check(H5Fopen("/nowhere/a.h5", H5F_ACC_RDONLY, H5P_DEFAULT), {verb, "/nowhere/a.h5", "/x"});
  };
  const auto matches =
      AllOf(StartsWith("/nowhere/a.h5: cannot read /x: No such file or directory (unable to open file"),
            HasSubstr("[handle_test.cpp:"));
  EXPECT_THAT(message_of<InputError>([&] { open_missing(Verb::read); }), matches);
  EXPECT_THAT(message_of<RunError>([&] { open_missing(Verb::write); }),
              StartsWith("/nowhere/a.h5: cannot write /x:"));
}

TEST(Check, prints_nothing_itself) {
  prepare_library();
  testing::internal::CaptureStderr();
  EXPECT_THROW(check(H5Dopen2(-1, "x", H5P_DEFAULT), {Verb::read, "a.h5"}), InputError);
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

}  // namespace
}  // namespace dmoe::hdf5
