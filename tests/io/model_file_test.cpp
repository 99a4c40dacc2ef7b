#include "io/model_file.hpp"

#include <filesystem>
#include <functional>
#include <numeric>
#include <optional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <mpi.h>

#include "comm/native.hpp"
#include "core/error.hpp"
#include "hdf5/bytes.hpp"
#include "hdf5/file.hpp"
#include "hdf5/file_size_limit.hpp"
#include "support/temporary_folder.hpp"
#include "support/world.hpp"

namespace dmoe::io {
namespace {

using test::message_of;
using test::world;
using testing::HasSubstr;

/// 7 experts split unevenly on 2, 3 and 4 ranks; the second layer has none for the first of 4 ranks.
const model::NetworkSpec spec{6, 3, {{7, 5, 4}, {3, 3, 2}}};

/// The first `count` ranks of the world; nothing on the others. Collective.
std::optional<comm::Communicator> first_ranks(int count) {
  if (world().is_local()) return comm::Communicator::local();
  MPI_Comm part = MPI_COMM_NULL;
  MPI_Comm_split(comm::native_of(world()), world().rank() < count ? 0 : MPI_UNDEFINED, world().rank(), &part);
  if (part == MPI_COMM_NULL) return std::nullopt;
  std::optional<comm::Communicator> result = comm::duplicate_of(part);
  MPI_Comm_free(&part);
  return result;
}

/// Element i of a whole tensor is i and what the tensor's name adds: no two values are alike.
void for_each_part(distribution::Network& network,
                   const std::function<void(const model::Parameter&, std::vector<float>)>& visit) {
  float offset = 0;
  network.for_each_parameter([&](const model::Parameter& parameter) {
    offset += 1000;
    const Index elements = hdf5::element_count(parameter.shape);
    const Index row = elements / parameter.shape.front();
    std::vector<float> values(parameter.values.size());
    ASSERT_EQ(static_cast<Index>(values.size()), parameter.count * row);
    std::iota(values.begin(), values.end(), offset + static_cast<float>(parameter.first * row));
    visit(parameter, values);
  });
}

void number_weights(distribution::Network& network) {
  for_each_part(network, [](const model::Parameter& parameter, const std::vector<float>& values) {
    std::copy(values.begin(), values.end(), parameter.values.begin());
  });
}

void expect_numbered(distribution::Network& network, const std::string& what) {
  for_each_part(network, [&](const model::Parameter& parameter, const std::vector<float>& values) {
    EXPECT_EQ(std::vector<float>(parameter.values.begin(), parameter.values.end()), values)
        << parameter.name << what;
  });
}

/// A model saved by all ranks. Collective.
std::string saved_model(const test::TemporaryFolder& folder) {
  distribution::Network network(spec, world(), 1, 1);
  number_weights(network);
  save_model(folder / "model.h5", network, "seed = 3\n", {7200, 12, 1});
  return folder / "model.h5";
}

/// Changes a file on one rank before the others look at it. Collective.
void edit(const std::string& path, const std::function<void(hdf5::File&)>& change) {
  world().barrier();
  if (world().is_coordinator()) {
    hdf5::File file = hdf5::File::open_read_write(path);
    change(file);
    file.close();
  }
  world().barrier();
}

/// Why a network of that shape cannot be loaded; checks that its weights did not change. Collective.
std::string refusal(const std::string& path, const model::NetworkSpec& wanted = spec) {
  distribution::Network network(wanted, world(), 1, 1);
  number_weights(network);
  const std::string message = message_of<InputError>([&] { load_model(path, network); });
  expect_numbered(network, " after a refusal");
  return message;
}

TEST(ModelFile, is_the_same_for_any_two_numbers_of_ranks) {
  const test::TemporaryFolder folder(world());
  for (int writers = 1; writers <= world().size(); ++writers) {
    const std::string path = folder / fmt::format("model{}.h5", writers);
    if (const auto ranks = first_ranks(writers)) {
      distribution::Network network(spec, *ranks, 1, 1);
      number_weights(network);
      save_model(path, network, "seed = 3\n", {7200, 12, 1});
    }
    world().barrier();
    for (int readers = 1; readers <= world().size(); ++readers) {
      if (const auto ranks = first_ranks(readers)) {
        distribution::Network network(spec, *ranks, 2, 1);
        load_model(path, network);
        expect_numbered(network, fmt::format(" of {} ranks on {}", writers, readers));
      }
    }
  }
}

TEST(ModelFile, says_what_it_is) {
  const test::TemporaryFolder folder(world());
  const std::string path = saved_model(folder);
  EXPECT_EQ(read_config(path), "seed = 3\n");
  const hdf5::File file = hdf5::File::open_read(path);
  EXPECT_EQ(file.read_attribute<std::int64_t>("/model", "step"), 7200);
  EXPECT_EQ(file.read_attribute<std::int64_t>("/model", "epoch"), 12);
  EXPECT_EQ(file.read_attribute<std::string>("/model/layers/2", "kind"), "mixture");
  const hdf5::DatasetInfo info = file.info("/model/layers/1/experts/weight");
  EXPECT_EQ(info.chunk, (hdf5::Shape{1, 5, 6}));
  EXPECT_TRUE(info.has_checksum);
}

TEST(ModelFile, that_is_missing_is_refused) {
  const test::TemporaryFolder folder(world());
  EXPECT_THAT(refusal(folder / "none.h5"), HasSubstr("none.h5: cannot open: no such file"));
}

TEST(ModelFile, of_another_format_is_refused) {
  const test::TemporaryFolder folder(world());
  const std::string path = saved_model(folder);
  edit(path, [](hdf5::File& file) { file.write_attribute("/", "format", "dmoe-run"); });
  EXPECT_THAT(refusal(path), HasSubstr("model.h5: its format is dmoe-run, expected dmoe-model"));
}

TEST(ModelFile, of_a_newer_version_is_refused) {
  const test::TemporaryFolder folder(world());
  const std::string path = saved_model(folder);
  edit(path, [](hdf5::File& file) { file.write_attribute("/", "format_version", 2); });
  EXPECT_THAT(refusal(path), HasSubstr("model.h5: dmoe-model of format version 2"));
}

TEST(ModelFile, without_a_tensor_is_refused) {
  const test::TemporaryFolder folder(world());
  const std::string path = saved_model(folder);
  edit(path, [](hdf5::File& file) { file.remove("/model/layers/2/gate/output_bias"); });
  EXPECT_THAT(refusal(path), HasSubstr("model.h5: cannot read /model/layers/2/gate/output_bias"));
}

TEST(ModelFile, of_other_shapes_is_refused) {
  const test::TemporaryFolder folder(world());
  model::NetworkSpec wider = spec;
  wider.layers[0].hidden = 6;
  EXPECT_THAT(
      refusal(saved_model(folder), wider),
      HasSubstr("model.h5: the shape of /model/layers/1/experts/weight is (7, 5, 6), expected (7, 6, 6)"));
}

TEST(ModelFile, of_another_depth_is_refused) {
  const test::TemporaryFolder folder(world());
  // The first layer's width is that of the second: every tensor that is asked for has its shape.
  const model::NetworkSpec deep{6, 3, {{7, 5, 4}, {7, 5, 4}}};
  const model::NetworkSpec flat{6, 3, {{7, 5, 4}}};
  {
    distribution::Network network(deep, world(), 1, 1);
    save_model(folder / "model.h5", network, "", {});
  }
  EXPECT_THAT(refusal(folder / "model.h5", flat),
              HasSubstr("model.h5: /model/layers has 2 layers, expected 1"));
}

TEST(ModelFile, that_is_damaged_on_one_ranks_part_is_refused_by_all) {
  const test::TemporaryFolder folder(world());
  const std::string path = saved_model(folder);
  world().barrier();
  if (world().is_coordinator()) {
    // The last expert's weights start with this value; only the last rank reads them.
    const float value = 1000 + 6 * 30;
    const std::string pattern(reinterpret_cast<const char*>(&value), sizeof value);
    std::string bytes = test::bytes_of(path);
    const std::size_t place = bytes.find(pattern);
    ASSERT_NE(place, std::string::npos);
    bytes[place] = static_cast<char>(bytes[place] ^ 1);
    test::put_bytes(path, bytes);
  }
  world().barrier();
  distribution::Network network(spec, world(), 2, 1);
  EXPECT_THAT(message_of<InputError>([&] { load_model(path, network); }),
              HasSubstr("model.h5: cannot read /model/layers/1/experts/weight"));
}

TEST(ModelFile, that_cannot_be_written_leaves_the_old_one) {
  const test::TemporaryFolder folder(world());
  const std::string path = saved_model(folder);
  distribution::Network network(spec, world(), 2, 1);
  {
    const test::FileSizeLimit full(4000);
    EXPECT_THAT(message_of<RunError>([&] { save_model(path, network, "", {}); }), HasSubstr("model.h5"));
  }
  world().barrier();
  load_model(path, network);
  expect_numbered(network, " after a failed save");
}

TEST(ModelFile, in_a_missing_folder_is_an_error_on_every_rank) {
  const test::TemporaryFolder folder(world());
  distribution::Network network(spec, world(), 2, 1);
  EXPECT_THAT(message_of<RunError>([&] { save_model(folder / "no/model.h5", network, "", {}); }),
              HasSubstr("No such file or directory"));
}

}  // namespace
}  // namespace dmoe::io
