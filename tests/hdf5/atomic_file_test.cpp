#include "hdf5/atomic_file.hpp"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.hpp"
#include "hdf5/bytes.hpp"
#include "hdf5/file_size_limit.hpp"
#include "support/temporary_folder.hpp"
#include "support/world.hpp"

namespace dmoe::hdf5 {
namespace {

using test::message_of;
using test::world;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

/// Names in a folder, once no rank changes it any more. Collective.
std::vector<std::string> names_in(const std::filesystem::path& folder) {
  world().barrier();
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    names.push_back(entry.path().filename().string());
  }
  world().barrier();
  std::sort(names.begin(), names.end());
  return names;
}

std::int64_t content(const std::filesystem::path& path) {
  return File::open_read(path).read_attribute<std::int64_t>("/", "content");
}

void publish(const std::filesystem::path& path, std::int64_t value) {
  AtomicFile file(path, world());
  file->write_attribute("/", "content", value);
  file.commit();
}

TEST(AtomicFile, appears_on_commit) {
  const test::TemporaryFolder folder(world());
  AtomicFile file(folder / "model.h5", world());
  file->write_attribute("/", "content", 1);
  EXPECT_EQ(file.temporary_path().parent_path(), folder.path());
  EXPECT_THAT(names_in(folder.path()), ElementsAre(file.temporary_path().filename().string()));
  file.commit();
  EXPECT_THAT(names_in(folder.path()), ElementsAre("model.h5"));
  EXPECT_EQ(content(folder / "model.h5"), 1);
}

TEST(AtomicFile, leaves_the_old_file_alone_until_commit) {
  const test::TemporaryFolder folder(world());
  publish(folder / "model.h5", 1);
  AtomicFile file(folder / "model.h5", world());
  file->write_attribute("/", "content", 2);
  file->flush();
  EXPECT_EQ(content(folder / "model.h5"), 1);
  world().barrier();
  file.commit();
  EXPECT_EQ(content(folder / "model.h5"), 2);
}

TEST(AtomicFile, disappears_without_commit) {
  const test::TemporaryFolder folder(world());
  publish(folder / "model.h5", 1);
  std::make_unique<AtomicFile>(folder / "model.h5", world()).reset();
  EXPECT_THAT(names_in(folder.path()), ElementsAre("model.h5"));
  EXPECT_EQ(content(folder / "model.h5"), 1);
}

TEST(AtomicFile, disappears_when_an_exception_unwinds) {
  const test::TemporaryFolder folder(world());
  const auto fails_while_writing = [&] {
    AtomicFile file(folder / "model.h5", world());
    file->create_group("/a");
    throw std::runtime_error("on purpose");
  };
  EXPECT_THROW(fails_while_writing(), std::runtime_error);
  EXPECT_THAT(names_in(folder.path()), IsEmpty());
}

TEST(AtomicFile, that_cannot_be_renamed_is_an_error_on_every_rank) {
  const test::TemporaryFolder folder(world());
  if (world().is_coordinator()) std::filesystem::create_directories(folder / "model.h5/in_the_way");
  world().barrier();
  EXPECT_THAT(message_of<RunError>([&] { publish(folder / "model.h5", 1); }),
              HasSubstr("model.h5: cannot write: "));
  EXPECT_THAT(names_in(folder.path()), ElementsAre("model.h5"));
}

TEST(AtomicFile, without_room_on_the_disk_fails_on_every_rank_and_keeps_the_old_file) {
  const test::TemporaryFolder folder(world());
  publish(folder / "model.h5", 1);
  const auto publish_large = [&] {
    const test::FileSizeLimit limit(1 << 18);
    AtomicFile file(folder / "model.h5", world());
    file->create_dataset("/a", {.shape = {4 << 18}, .annotation = {"1", {"row"}}});
    const Index share = (4 << 18) / world().size();
    file->write_slab("/a", {world().rank() * share, share}, std::vector<float>(size(share), 1.0F));
    file.commit();
  };
  EXPECT_THAT(message_of<RunError>(publish_large), HasSubstr("cannot write /a: File too large"));
  EXPECT_THAT(names_in(folder.path()), ElementsAre("model.h5"));
  EXPECT_EQ(content(folder / "model.h5"), 1);
  // The next attempt, with room again.
  publish(folder / "model.h5", 2);
  EXPECT_EQ(content(folder / "model.h5"), 2);
}

TEST(AtomicFile, may_be_one_ranks_own) {
  const test::TemporaryFolder folder(world());
  if (world().is_coordinator()) {
    AtomicFile file(folder / "run.h5");
    file->write_attribute("/", "content", 5);
    file.commit();
    const AtomicFile abandoned(folder / "run.h5");
  }
  EXPECT_THAT(names_in(folder.path()), ElementsAre("run.h5"));
  EXPECT_EQ(content(folder / "run.h5"), 5);
}

TEST(AtomicFile, may_start_as_a_copy) {
  const test::TemporaryFolder folder(world());
  if (world().is_coordinator()) {
    File::create_serial(folder / "run.h5").write_attribute("/", "content", 5);
    AtomicFile file(folder / "run.h5", AtomicFile::Start::copy);
    file->write_attribute("/", "more", 6);
    EXPECT_FALSE(File::open_read(folder / "run.h5").has_attribute("/", "more"));
    file.commit();
    EXPECT_EQ(File::open_read(folder / "run.h5").read_attribute<std::int64_t>("/", "more"), 6);
    test::put_bytes(folder / "text.h5", "text");
    EXPECT_THROW(AtomicFile(folder / "text.h5", AtomicFile::Start::copy), InputError);
    EXPECT_THROW(AtomicFile(folder / "none.h5", AtomicFile::Start::copy), RunError);
  }
  EXPECT_THAT(names_in(folder.path()), ElementsAre("run.h5", "text.h5"));
  EXPECT_EQ(content(folder / "run.h5"), 5);
}

TEST(AbandonedFiles, of_a_folder_are_removed) {
  const test::TemporaryFolder folder;
  for (const char* name :
       {".run.h5.partial-host-1", ".run.h5.partial-other-2", ".model.h5.partial-host-1", "run.h5", ".lock"}) {
    test::put_bytes(folder / name, "x");
  }
  remove_abandoned(folder.path());
  EXPECT_THAT(names_in(folder.path()), ElementsAre(".lock", "run.h5"));
  remove_abandoned(folder / "missing");
}

}  // namespace
}  // namespace dmoe::hdf5
