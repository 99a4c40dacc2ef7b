// hdf5/file.hpp on a file that all ranks write.
#include <numeric>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "comm/duplicate.hpp"
#include "core/error.hpp"
#include "hdf5/bytes.hpp"
#include "hdf5/file.hpp"
#include "support/temporary_folder.hpp"
#include "support/variable.hpp"
#include "support/world.hpp"

namespace dmoe::hdf5 {
namespace {

using test::message_of;
using test::world;
using testing::HasSubstr;

/// Rows of this rank where rank r has r of them: none on rank 0, and so unequal shards.
Rows my_rows() {
  const Index r = world().rank();
  return {r * (r - 1) / 2, r};
}
Index all_rows() {
  const Index ranks = world().size();
  return ranks * (ranks - 1) / 2;
}

/// Element i of the whole dataset is i.
template <class T>
std::vector<T> my_values(Rows rows, Index row_size) {
  std::vector<T> values(size(rows.count * row_size));
  std::iota(values.begin(), values.end(), static_cast<T>(rows.first * row_size));
  return values;
}

TEST(ParallelFile, is_parallel_where_there_is_mpi) {
  const test::TemporaryFolder folder(world());
  EXPECT_EQ(File::create_parallel(folder / "a.h5", world()).is_parallel(), !world().is_local());
}

TEST(ParallelFile, takes_every_ranks_rows) {
  const test::TemporaryFolder folder(world());
  constexpr Index columns = 1000;
  // Two rows behind those of the ranks, so that the dataset has some on one rank too; the last rank adds
  // them.
  const Index rows = all_rows() + 2;
  const bool is_last = world().rank() == world().size() - 1;
  File file = File::create_parallel(folder / "a.h5", world());
  // Chunks of one row as the weights have them, and of three that several ranks share.
  for (const Index chunk_rows : {Index{1}, std::min(Index{3}, rows)}) {
    const std::string name = fmt::format("/floats/{}", chunk_rows);
    file.create_dataset(name, {.shape = {rows, 10, 100},
                               .annotation = {"1", {"expert", "hidden", "input"}},
                               .chunk = {chunk_rows, 10, 100}});
    file.write_slab(name, my_rows(), my_values<float>(my_rows(), columns));
    const Rows tail{is_last ? all_rows() : 0, is_last ? 2 : 0};
    file.write_slab(name, tail, my_values<float>(tail, columns));
  }
  file.close();
  const File again = File::open_read(folder / "a.h5");
  for (const std::string& name : again.children("/floats")) {
    EXPECT_EQ(again.read<float>(fmt::format("/floats/{}", name), {rows, 10, 100}),
              my_values<float>({0, rows}, columns))
        << name;
  }
}

TEST(ParallelFile, takes_whole_datasets_from_the_coordinator) {
  const test::TemporaryFolder folder(world());
  File file = File::create_parallel(folder / "a.h5", world());
  const std::int64_t mine = world().rank() + 7;
  file.write("/totals", std::vector<std::int64_t>(5, mine), {5}, {"examples", {"expert"}});
  file.write("/empty", std::vector<float>{}, {0}, {"1", {"row"}});
  file.write_text("/config", "seed = 3\n", "TOML");
  file.write("/hosts", std::vector<std::string>{"a", "bc"}, {"1", {"rank"}});
  for (int i = 0; i < 20; ++i) file.write_attribute("/", fmt::format("a{}", i), i);
  file.write_attribute("/", "a3", "text");
  file.close();
  const File again = File::open_read(folder / "a.h5");
  EXPECT_EQ(again.read<std::int64_t>("/totals"), std::vector<std::int64_t>(5, 7));
  EXPECT_TRUE(again.read<float>("/empty").empty());
  EXPECT_EQ(again.read_text("/config"), "seed = 3\n");
  EXPECT_EQ(again.read_texts("/hosts"), (std::vector<std::string>{"a", "bc"}));
  EXPECT_EQ(again.read_attribute<std::string>("/", "a3"), "text");
  EXPECT_EQ(again.attributes("/").size(), 20U);
}

TEST(ParallelFile, gives_back_the_room_it_reserved) {
  const test::TemporaryFolder folder(world());
  File file = File::create_parallel(folder / "a.h5", world());
  file.write("/a", std::vector<float>(1000), {1000}, {"1", {"row"}});
  file.flush();
  file.write("/b", std::vector<float>(1000), {1000}, {"1", {"row"}});
  file.close();
  EXPECT_LT(std::filesystem::file_size(folder / "a.h5"), 30'000U);
}

TEST(ParallelFile, that_cannot_be_created_is_an_error_on_every_rank) {
  const test::TemporaryFolder folder(world());
  const std::string message =
      message_of<RunError>([&] { File::create_parallel(folder / "no/a.h5", world()); });
  EXPECT_THAT(message, HasSubstr("no/a.h5: cannot create: No such file or directory"));
}

/// The ranks of the world, who do not compare their calls: one of them may make another.
comm::Communicator unchecked_world() {
  const test::Variable asks("DMOE_CHECK_COLLECTIVES", "0");
  return test::duplicate_of_world();
}

TEST(ParallelFile, error_of_one_rank_is_thrown_on_all) {
  const test::TemporaryFolder folder(world());
  const comm::Communicator ranks = unchecked_world();
  File file = File::create_parallel(folder / "a.h5", ranks);
  file.create_dataset("/a", {.shape = {4}, .annotation = {"1", {"row"}}});
  const std::string path = world().rank() == world().size() - 1 ? "/none" : "/a";
  const std::vector<float> nothing;
  const Rows none{0, 0};
  const std::string message = message_of<RunError>([&] { file.write_slab(path, none, nothing); });
  EXPECT_THAT(message, HasSubstr("a.h5: cannot write /none: the file has no such object"));
  file.close();
}

}  // namespace
}  // namespace dmoe::hdf5
