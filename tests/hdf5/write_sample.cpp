// write_sample FILE: all ranks write what h5py_test.py reads. Row i of "/model/weight" holds i, i + 0.5, ..;
// rank 0 writes no row where there are several ranks.
#include <cstdio>
#include <exception>
#include <numeric>
#include <string>
#include <vector>

#include "comm/session.hpp"
#include "hdf5/atomic_file.hpp"

namespace {

using namespace dmoe;

constexpr Index experts = 7;

void write(const std::string& path, const comm::Communicator& world) {
  const Index writers = std::max(world.size() - 1, 1);
  const Index writer = world.rank() - (world.size() - writers);  // -1: none
  const Index first = writer < 0 ? 0 : experts * writer / writers;
  const hdf5::Rows rows{first, writer < 0 ? 0 : experts * (writer + 1) / writers - first};
  std::vector<float> weight(size(rows.count * 6));
  for (Index i = 0; i < rows.count * 6; ++i) {
    weight[size(i)] = static_cast<float>(rows.first + i / 6) + 0.5F * static_cast<float>(i % 6);
  }
  hdf5::AtomicFile file(path, world);
  file->create_dataset(
      "/model/weight",
      {.shape = {experts, 2, 3}, .annotation = {"1", {"expert", "hidden", "input"}}, .chunk = {1, 2, 3}});
  file->write_slab("/model/weight", rows, weight);
  file->write("/train/loss", std::vector<double>{0.5, 0.25}, {2}, {"nats", {"interval"}});
  file->write("/train/totals", std::vector<std::int64_t>{1, 2, -3, 4}, {2, 2},
              {"examples", {"interval", "expert"}});
  file->write("/train/label", std::vector<std::int32_t>{9}, {1}, {"class", {"example"}});
  file->write("/empty", std::vector<float>{}, {0, 3}, {"1", {"row", "column"}});
  file->write("/hosts", std::vector<std::string>{"node1", "knoten-ü"}, {"1", {"rank"}});
  file->write_text("/config", "[train]\nseed = 3 # µ\n", "TOML");
  file->write_attribute("/", "format", "dmoe-model");
  file->write_attribute("/", "format_version", 1);
  file->write_attribute("/model", "rate", 0.1);
  file->write_attribute("/model", "hidden", std::vector<std::int64_t>{100, 20});
  file->write_attribute("/model", "bounds", std::vector<double>{0.5, 1.5});
  file->write_attribute("/model", "kinds", std::vector<std::string>{"mixture", "größer"});
  file.commit();
}

}  // namespace

int main(int /*argc*/, char** argv) {
  try {
    comm::Session session;
    write(argv[1], session.world());
    session.finalize();
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "write_sample: %s\n", error.what());
    comm::Session::abort(1);
  }
}
