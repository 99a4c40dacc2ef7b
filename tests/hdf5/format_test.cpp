#include "hdf5/format.hpp"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.hpp"
#include "support/message_of.hpp"
#include "support/temporary_folder.hpp"

namespace dmoe::hdf5 {
namespace {

using test::message_of;
using testing::HasSubstr;
using testing::MatchesRegex;

/// A file of that format and version.
std::string file_of(const test::TemporaryFolder& folder, std::string_view format, Index version) {
  const std::string path = folder / "a.h5";
  File file = File::create_serial(path);
  write_format(file, format);
  file.write_attribute("/", "format_version", version);
  file.write_attribute("/", "dmoe_version", "9.9.9");
  file.close();
  return path;
}

void check(const std::string& path) {
  check_format(File::open_read(path), {"dmoe-run", "dmoe-model"});
}

TEST(Format, of_a_known_file_is_told) {
  const test::TemporaryFolder folder;
  const File file = File::open_read(file_of(folder, "dmoe-model", format_version));
  EXPECT_EQ(check_format(file, {"dmoe-run", "dmoe-model"}), "dmoe-model");
}

TEST(Format, of_an_older_version_is_read) {
  const test::TemporaryFolder folder;
  EXPECT_NO_THROW(check(file_of(folder, "dmoe-model", format_version - 1)));
}

TEST(Format, of_a_newer_version_is_refused_by_name) {
  const test::TemporaryFolder folder;
  const std::string path = file_of(folder, "dmoe-model", format_version + 1);
  EXPECT_THAT(
      message_of<InputError>([&] { check(path); }),
      MatchesRegex(".*a.h5: dmoe-model of format version 2, written by dmoe 9.9.9; this dmoe .* reads "
                   "versions up to 1"));
}

TEST(Format, that_is_not_wanted_is_refused) {
  const test::TemporaryFolder folder;
  const std::string path = file_of(folder, "dmoe-checkpoint", format_version);
  EXPECT_THAT(message_of<InputError>([&] { check(path); }),
              HasSubstr("a.h5: its format is dmoe-checkpoint, expected dmoe-run or dmoe-model"));
}

TEST(Format, of_a_foreign_file_is_refused) {
  const test::TemporaryFolder folder;
  File::create_serial(folder / "a.h5").close();
  EXPECT_THAT(message_of<InputError>([&] { check(folder / "a.h5"); }),
              HasSubstr("a.h5: an HDF5 file without dmoe's root attribute 'format'; expected dmoe-run or"));
}

TEST(Format, of_a_newer_version_need_not_say_who_wrote_it) {
  const test::TemporaryFolder folder;
  const std::string path = folder / "a.h5";
  File file = File::create_serial(path);
  file.write_attribute("/", "format", "dmoe-model");
  file.write_attribute("/", "format_version", format_version + 1);
  file.close();
  EXPECT_THAT(message_of<InputError>([&] { check(path); }),
              HasSubstr("dmoe-model of format version 2; this dmoe"));
}

}  // namespace
}  // namespace dmoe::hdf5
