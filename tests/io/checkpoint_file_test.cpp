#include "io/checkpoint_file.hpp"

#include <filesystem>
#include <optional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <mpi.h>

#include "core/error.hpp"
#include "hdf5/bytes.hpp"
#include "hdf5/file.hpp"
#include "io/model_file.hpp"
#include "io/samples.hpp"
#include "support/message_of.hpp"
#include "support/temporary_folder.hpp"
#include "support/world.hpp"

namespace dmoe::io {
namespace {

using test::message_of;
using test::world;
using testing::ElementsAre;
using testing::HasSubstr;

const model::NetworkSpec spec{6, 3, {{7, 5, 4}, {3, 3, 2}}};

training::State sample_state() {
  training::State state;
  state.step = 150;
  state.epoch = 1;
  state.phase = 0;
  state.evaluations = 2;
  state.evaluated_epoch = 1;
  state.layers = {{{1, 2, 3, 4, 5, 6, 7}, {0, 1, 0, 1, 0, 1, 0}, {9, 8, 7, 6, 5, 4, 3}},
                  {{5, 6, 7}, {1, 1, 1}, {0, 0, 2}}};
  state.window = {0.1, 3, 50, 5, 0.3, 1.5, {{9, 8, 7, 6, 5, 4, 2}, {0, 0, 1}}};
  return state;
}

void expect_equal(const training::State& found, const training::State& expected) {
  EXPECT_EQ(found.step, expected.step);
  EXPECT_EQ(found.epoch, expected.epoch);
  EXPECT_EQ(found.phase, expected.phase);
  EXPECT_EQ(found.evaluations, expected.evaluations);
  EXPECT_EQ(found.evaluated_epoch, expected.evaluated_epoch);
  EXPECT_EQ(found.window.loss, expected.window.loss);
  EXPECT_EQ(found.window.errors, expected.window.errors);
  EXPECT_EQ(found.window.examples, expected.window.examples);
  EXPECT_EQ(found.window.steps, expected.window.steps);
  EXPECT_EQ(found.window.learning_rate, expected.window.learning_rate);
  EXPECT_EQ(found.window.seconds, expected.window.seconds);
  EXPECT_EQ(found.window.masked_steps, expected.window.masked_steps);
  ASSERT_EQ(found.layers.size(), expected.layers.size());
  for (std::size_t l = 0; l < found.layers.size(); ++l) {
    EXPECT_EQ(found.layers[l].totals, expected.layers[l].totals);
    EXPECT_EQ(found.layers[l].rule_totals, expected.layers[l].rule_totals);
    EXPECT_EQ(found.layers[l].masked_steps, expected.layers[l].masked_steps);
  }
}

/// A trained network, its optimiser and what they hold, on some ranks.
struct Trained {
  explicit Trained(const exchange::Grid& grid, std::uint64_t seed)
      : network(spec, grid, seed, 1), optimizer(network, 0.5, 0) {
    std::uint64_t tensor = 0;
    optimizer.for_each_velocity([&](const model::Parameter& velocity) {
      RandomStream stream(seed, Purpose::test, ++tensor);
      const auto block = hdf5::element_count(velocity.shape) / velocity.shape.front();
      for (Index i = 0; i < velocity.first * block; ++i) stream.uniform();
      for (float& value : velocity.values) value = stream.uniform();
    });
  }
  std::vector<float> values() {
    std::vector<float> all;
    const auto add = [&](const model::Parameter& tensor) {
      all.insert(all.end(), tensor.values.begin(), tensor.values.end());
    };
    network.for_each_parameter(add);
    optimizer.for_each_velocity(add);
    return all;
  }
  distribution::Network network;
  training::Sgd optimizer;
};

void save(const std::string& path, Trained& trained) {
  save_checkpoint(path, trained.network, trained.optimizer, sample_state(), "avx2", test::sample_run());
}

TEST(Checkpoint, comes_back_on_any_number_of_ranks) {
  const test::TemporaryFolder folder(world());
  const std::string path = checkpoint_path(folder.path(), 150);
  Trained saved(world(), 7);
  save(path, saved);
  Trained same(world(), 8);
  load_checkpoint(path, same.network, same.optimizer);
  EXPECT_EQ(same.values(), saved.values());

  const comm::Communicator alone = comm::Communicator::local();
  Trained one(alone, 9);
  Trained expected(alone, 7);
  load_checkpoint(path, one.network, one.optimizer);
  EXPECT_EQ(one.values(), expected.values());

  const Checkpoint read = read_checkpoint(path);
  expect_equal(read.state, sample_state());
  EXPECT_EQ(read.instruction_set, "avx2");
  EXPECT_EQ(read.run.config_toml, test::sample_run().config_toml);
  EXPECT_EQ(read.run.rows.size(), test::sample_run().rows.size());
  EXPECT_EQ(read.run.data, test::sample_run().data);
}

TEST(Checkpoint, is_read_by_the_first_replica_alone) {
  const test::TemporaryFolder folder(world());
  const std::string path = checkpoint_path(folder.path(), 150);
  Trained saved(world(), 7);
  save(path, saved);
  for (Index replicas = 2; replicas <= world().size(); ++replicas) {
    if (world().size() % replicas != 0) continue;
    const exchange::Grid grid(world(), replicas, {replicas, replicas});
    Trained found(grid, 8);
    const std::string seen = grid.replica() == 0 ? path : (folder / "nothing.h5").string();
    load_checkpoint(seen, found.network, found.optimizer);
    Trained expected(grid, 7);
    EXPECT_EQ(found.values(), expected.values()) << replicas << " replicas";

    Trained other(grid, 9);
    load_model(seen, other.network);
    const auto weights = [](Trained& of) {
      std::vector<float> all;
      of.network.for_each_parameter([&](const model::Parameter& tensor) {
        all.insert(all.end(), tensor.values.begin(), tensor.values.end());
      });
      return all;
    };
    EXPECT_EQ(weights(other), weights(expected));
    const std::string missing = grid.replica() == 0 ? (folder / "nothing.h5").string() : path;
    EXPECT_THAT(message_of<InputError>([&] { load_checkpoint(missing, other.network, other.optimizer); }),
                HasSubstr("no such file"));
  }
}

TEST(Checkpoint, of_other_tensors_is_refused_on_all_ranks) {
  const test::TemporaryFolder folder(world());
  const std::string path = checkpoint_path(folder.path(), 150);
  Trained saved(world(), 7);
  save(path, saved);
  model::NetworkSpec wider = spec;
  wider.layers[1].hidden = 4;
  distribution::Network other(wider, world(), 1, 1);
  training::Sgd optimizer(other, 0.5, 0);
  EXPECT_THAT(message_of<InputError>([&] { load_checkpoint(path, other, optimizer); }),
              HasSubstr("the shape of /model/layers/2/experts/weight is (3, 3, 5), expected (3, 4, 5)"));
}

TEST(Checkpoint, with_a_changed_state_is_found_out) {
  const test::TemporaryFolder folder(world());
  const std::string path = checkpoint_path(folder.path(), 150);
  Trained saved(world(), 7);
  save(path, saved);
  if (!world().is_coordinator()) return;
  {
    hdf5::File file = hdf5::File::open_read_write(path);
    file.write_attribute("/state", "step", std::int64_t{151});
    file.close();
  }
  EXPECT_THAT(message_of<InputError>([&] { read_checkpoint(path); }), HasSubstr("do not have its crc32"));
}

TEST(Checkpoint, that_cannot_be_written_leaves_nothing) {
  const test::TemporaryFolder folder(world());
  Trained saved(world(), 7);
  EXPECT_THROW(save(checkpoint_path((folder / "missing").string(), 150), saved), RunError);
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(Checkpoints, are_found_newest_first_and_pruned) {
  if (!world().is_coordinator()) return;
  const test::TemporaryFolder folder;
  EXPECT_TRUE(find_checkpoints((folder / "missing").string()).empty());
  for (const char* name : {"step-00000009.h5", "step-00000100.h5", "step-123456789.h5", "step-x.h5",
                           "step-1.h5.bak", ".step-00000100.h5.partial-a-1", "notes.txt"}) {
    test::put_bytes(folder / name, "x");
  }
  const auto names = [&] {
    std::vector<std::string> found;
    for (const std::string& path : find_checkpoints(folder.path()))
      found.push_back(std::filesystem::path(path).filename());
    return found;
  };
  EXPECT_THAT(names(), ElementsAre("step-123456789.h5", "step-00000100.h5", "step-00000009.h5"));
  prune_checkpoints(folder.path(), 1, 100);
  EXPECT_THAT(names(), ElementsAre("step-123456789.h5", "step-00000100.h5"));
  EXPECT_EQ(find_checkpoints(folder.path(), 99).size(), 0U);
  prune_checkpoints(folder.path(), 1);
  EXPECT_THAT(names(), ElementsAre("step-123456789.h5"));
  EXPECT_TRUE(std::filesystem::exists(folder / "notes.txt"));
}

}  // namespace
}  // namespace dmoe::io
