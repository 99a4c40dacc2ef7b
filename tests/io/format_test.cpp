#include "io/format.hpp"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.hpp"
#include "hdf5/bytes.hpp"
#include "support/temporary_folder.hpp"

namespace dmoe::io {
namespace {

using test::message_of;
using testing::HasSubstr;
using testing::MatchesRegex;

/// A file of that format and version.
std::string file_of(const test::TemporaryFolder& folder, std::string_view format, Index version) {
  const std::string path = folder / "a.h5";
  hdf5::File file = hdf5::File::create_serial(path);
  write_format(file, format, "seed = 3\n");
  file.write_attribute("/", "format_version", version);
  file.write_attribute("/", "dmoe_version", "9.9.9");
  file.close();
  return path;
}

void check(const std::string& path) {
  check_format(hdf5::File::open_read(path), {run_format, model_format});
}

TEST(Format, of_a_known_file_is_told) {
  const test::TemporaryFolder folder;
  const hdf5::File file = hdf5::File::open_read(file_of(folder, model_format, format_version));
  EXPECT_EQ(check_format(file, {run_format, model_format}), model_format);
}

TEST(Format, of_an_older_version_is_read) {
  const test::TemporaryFolder folder;
  EXPECT_NO_THROW(check(file_of(folder, model_format, format_version - 1)));
}

TEST(Format, of_a_newer_version_is_refused_by_name) {
  const test::TemporaryFolder folder;
  const std::string path = file_of(folder, model_format, format_version + 1);
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
  hdf5::File::create_serial(folder / "a.h5").close();
  EXPECT_THAT(message_of<InputError>([&] { check(folder / "a.h5"); }),
              HasSubstr("a.h5: an HDF5 file without dmoe's root attribute 'format'; expected dmoe-run or"));
}

TEST(Config, is_read_from_run_and_model_files) {
  const test::TemporaryFolder folder;
  EXPECT_EQ(read_config(file_of(folder, run_format, format_version)), "seed = 3\n");
  EXPECT_EQ(read_config(file_of(folder, model_format, format_version)), "seed = 3\n");
}

TEST(Config, is_not_read_from_text) {
  const test::TemporaryFolder folder;
  test::put_bytes(folder / "a.toml", "seed = 3\n");
  EXPECT_THAT(message_of<InputError>([&] { read_config(folder / "a.toml"); }),
              HasSubstr("it is not an HDF5 file"));
}

TEST(Now, is_iso_8601) {
  EXPECT_THAT(utc_now(), MatchesRegex("20[0-9][0-9]-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9]Z"));
}

}  // namespace
}  // namespace dmoe::io
