#include "training/self_test.hpp"

#include <cstdint>
#include <vector>

#include "comm/together.hpp"
#include "core/error.hpp"

namespace dmoe::training {

namespace {

/// In place, as totals are summed: that was once wrong (open-mpi/ompi#9385).
void check_sums(const comm::Communicator& world) {
  std::vector<std::int64_t> values(257);
  const auto value = [](std::size_t i, std::int64_t rank) {
    return (static_cast<std::int64_t>(i) << 40) - 7 * rank;
  };
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = value(i, world.rank());
  world.all_reduce(values);
  comm::together(world, [&] {
    for (std::size_t i = 0; i < values.size(); ++i) {
      std::int64_t expected = 0;
      for (int rank = 0; rank < world.size(); ++rank) expected += value(i, rank);
      if (values[i] != expected)
        throw RunError("the MPI library sums integers wrong: {} in place of {} over {} ranks", values[i],
                       expected, world.size());
    }
  });
}

}  // namespace

void self_test(const comm::Communicator& world) {
  static bool is_done = false;
  if (is_done) return;
  check_sums(world);
  is_done = true;
}

}  // namespace dmoe::training
