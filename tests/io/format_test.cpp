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

/// A file of that format.
std::string file_of(const test::TemporaryFolder& folder, std::string_view format) {
  const std::string path = folder / "a.h5";
  hdf5::File file = hdf5::File::create_serial(path);
  write_format(file, format, "seed = 3\n");
  file.close();
  return path;
}

TEST(Config, is_read_from_run_and_model_files) {
  const test::TemporaryFolder folder;
  EXPECT_EQ(read_config(file_of(folder, run_format)), "seed = 3\n");
  EXPECT_EQ(read_config(file_of(folder, model_format)), "seed = 3\n");
}

TEST(Config, is_not_read_from_text) {
  const test::TemporaryFolder folder;
  test::put_bytes(folder / "a.toml", "seed = 3\n");
  EXPECT_THAT(message_of<InputError>([&] { read_config(folder / "a.toml"); }),
              HasSubstr("it is not an HDF5 file"));
}

TEST(Config, with_a_digit_changed_is_damaged) {
  const test::TemporaryFolder folder;
  const std::string path = file_of(folder, model_format);
  std::string bytes = test::bytes_of(path);
  bytes[bytes.find("seed = 3") + 7] = '7';
  test::put_bytes(path, bytes);
  EXPECT_EQ(message_of<InputError>([&] { read_config(path); }),
            path + ": /config does not have its crc32: the file is damaged");
}

TEST(Now, is_iso_8601) {
  EXPECT_THAT(utc_now(), MatchesRegex("20[0-9][0-9]-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9]Z"));
}

}  // namespace
}  // namespace dmoe::io
