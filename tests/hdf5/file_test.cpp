#include "hdf5/file.hpp"

#include <numeric>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.hpp"
#include "hdf5/bytes.hpp"
#include "hdf5/file_size_limit.hpp"
#include "support/temporary_folder.hpp"

namespace dmoe::hdf5 {
namespace {

using test::bytes_of;
using test::message_of;
using test::put_bytes;
using testing::ElementsAre;
using testing::HasSubstr;

std::string open_error(const std::filesystem::path& path) {
  return message_of<InputError>([&] { File::open_read(path); });
}

void write_small(const std::filesystem::path& path) {
  File file = File::create_serial(path);
  std::vector<float> values(4096);
  std::iota(values.begin(), values.end(), 1.0F);
  file.write("/a", values, {4096}, {"1", {"index"}});
  file.close();
}

TEST(File, keeps_the_order_of_its_groups) {
  const test::TemporaryFolder folder;
  File file = File::create_serial(folder / "a.h5");
  for (const char* path : {"/layers/2/gate", "/layers/10", "/layers/1", "/analysis"}) file.create_group(path);
  file.write_text("/layers/config", "text");
  EXPECT_THAT(file.children("/"), ElementsAre("layers", "analysis"));
  EXPECT_THAT(file.children("/layers"), ElementsAre("2", "10", "1", "config"));
  EXPECT_EQ(file.kind("/"), File::Kind::group);
  EXPECT_EQ(file.kind("/layers/2"), File::Kind::group);
  EXPECT_EQ(file.kind("/layers/config"), File::Kind::dataset);
}

TEST(File, knows_what_exists) {
  const test::TemporaryFolder folder;
  File file = File::create_serial(folder / "a.h5");
  file.create_group("/a/b");
  EXPECT_TRUE(file.exists("/"));
  EXPECT_TRUE(file.exists("/a/b"));
  EXPECT_FALSE(file.exists("/a/c"));
  EXPECT_FALSE(file.exists("/x/y/z"));
  file.create_group("/a/b");
  file.remove("/a");
  EXPECT_FALSE(file.exists("/a/b"));
  EXPECT_THROW(file.remove("/a"), RunError);
  EXPECT_THAT(message_of<InputError>([&] { file.children("/a"); }),
              HasSubstr("cannot read /a: the file has no such"));
}

TEST(File, can_be_reopened_for_more) {
  const test::TemporaryFolder folder;
  write_small(folder / "a.h5");
  File::open_read_write(folder / "a.h5").create_group("/b");
  const File file = File::open_read(folder / "a.h5");
  EXPECT_THAT(file.children("/"), ElementsAre("a", "b"));
}

TEST(File, moves) {
  const test::TemporaryFolder folder;
  File first = File::create_serial(folder / "a.h5");
  File second = std::move(first);
  second.create_group("/a");
  second = File::create_serial(folder / "b.h5");
  EXPECT_TRUE(File::open_read(folder / "a.h5").exists("/a"));
}

TEST(OpeningAFile, names_what_is_wrong_with_it) {
  const test::TemporaryFolder folder;
  EXPECT_THAT(open_error(folder / "none.h5"), HasSubstr("none.h5: cannot open: no such file"));
  EXPECT_THAT(open_error(folder.path()), HasSubstr("it is a folder"));
  put_bytes(folder / "text.h5", "not HDF5 at all\n");
  EXPECT_THAT(open_error(folder / "text.h5"), HasSubstr("text.h5: cannot open: it is not an HDF5 file"));
  put_bytes(folder / "empty.h5", "");
  EXPECT_THAT(open_error(folder / "empty.h5"), HasSubstr("it is not an HDF5 file"));
}

TEST(OpeningAFile, refuses_every_truncation) {
  const test::TemporaryFolder folder;
  write_small(folder / "a.h5");
  const std::string whole = bytes_of(folder / "a.h5");
  for (const std::size_t kept :
       {std::size_t{8}, std::size_t{30}, std::size_t{100}, whole.size() / 2, whole.size() - 1}) {
    put_bytes(folder / "part.h5", whole.substr(0, kept));
    EXPECT_THAT(open_error(folder / "part.h5"), HasSubstr("part.h5: cannot open: ")) << kept;
  }
  EXPECT_THAT(open_error(folder / "part.h5"), HasSubstr("it is incomplete: truncated file"));
}

TEST(OpeningAFile, finds_damage_in_an_object_header) {
  const test::TemporaryFolder folder;
  write_small(folder / "a.h5");
  std::string bytes = bytes_of(folder / "a.h5");
  std::size_t headers = 0;
  for (std::size_t at = bytes.find("OHDR"); at != std::string::npos;
       at = bytes.find("OHDR", at + 1), ++headers) {
    std::string damaged = bytes;
    damaged[at + 20] = static_cast<char>(damaged[at + 20] ^ 4);
    put_bytes(folder / "damaged.h5", damaged);
    EXPECT_THROW(File::open_read(folder / "damaged.h5").read<float>("/a"), InputError) << "byte " << at + 20;
  }
  EXPECT_EQ(headers, 2U);  // the root group's and the dataset's
}

TEST(CreatingAFile, gives_the_system_reason) {
  const test::TemporaryFolder folder;
  const std::string message = message_of<RunError>([&] { File::create_serial(folder / "no/such/a.h5"); });
  EXPECT_THAT(message, HasSubstr("no/such/a.h5: cannot create: No such file or directory"));
}

TEST(WritingAFile, reports_that_there_is_no_room) {
  const test::TemporaryFolder folder;
  const test::FileSizeLimit limit(1 << 18);
  File file = File::create_serial(folder / "a.h5");
  const std::vector<float> values(1 << 20, 1.0F);
  const Shape shape{1 << 20};
  const Annotation annotation{"1", {"index"}};
  EXPECT_THAT(message_of<RunError>([&] { file.write("/a", values, shape, annotation); }),
              HasSubstr("a.h5: cannot write /a: File too large"));
}

}  // namespace
}  // namespace dmoe::hdf5
