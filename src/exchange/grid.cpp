#include "exchange/grid.hpp"

#include <algorithm>
#include <string>

#include <fmt/format.h>

#include "core/error.hpp"
#include "exchange/topology.hpp"

namespace dmoe::exchange {

namespace {

/// Slices are shared out as experts are.
model::Slices share_of(Index slices, Index batch_rows, Index replicas, Index replica) {
  const ExpertRange own = Topology(slices, replicas).range(replica);
  return {slices, batch_rows, own.first, own.end()};
}

/// "ranks 1, 3, 5", "ranks 1, 3, .., 1023".
std::string ranks_text(int first, int stride, int count) {
  constexpr int most = 8;
  std::string text = count == 1 ? "rank" : "ranks";
  for (int i = 0; i < std::min(count, most); ++i)
    text += fmt::format("{}{}", i == 0 ? " " : ", ", first + i * stride);
  if (count > most) text += fmt::format(", .., {}", first + (count - 1) * stride);
  return text;
}

}  // namespace

void Grid::check(Index ranks, Index replicas, Index slices) {
  if (replicas > slices)
    throw InputError("comm.replicas is {}, but train.slices is {}: a replica needs a slice of the batch",
                     replicas, slices);
  if (ranks % replicas != 0)
    throw InputError(
        "comm.replicas is {}: {} cannot be shared out to as many; start a multiple of {}, or "
        "--set comm.replicas=auto",
        replicas, ranks == 1 ? "one rank" : fmt::format("{} ranks", ranks), replicas);
}

Grid::Grid(const comm::Communicator& world)
    : world_(&world), column_(std::make_shared<comm::Communicator>(comm::Communicator::local())) {}

Grid::Grid(const comm::Communicator& world, Index replicas, Index slices, Index batch_rows) : Grid(world) {
  check(world.size(), replicas, slices);
  if (replicas > 1) {
    const int group_size = narrow<int>(world.size() / replicas);
    const int replica = world.rank() / group_size;
    const int place = world.rank() % group_size;
    group_ = std::make_shared<comm::Communicator>(world.split(
        replica, place,
        fmt::format("replica {} ({})", replica + 1, ranks_text(replica * group_size, 1, group_size))));
    column_ = std::make_shared<comm::Communicator>(world.split(
        place, replica,
        fmt::format("the replicas of a part ({})", ranks_text(place, group_size, narrow<int>(replicas)))));
  }
  batch_rows_ = batch_rows;
  slices_ = share_of(slices, batch_rows, replicas, replica());
}

Index Grid::most_rows(Index batch_rows) const {
  Index most = 0;
  for (Index r = 0; r < replicas(); ++r) most = std::max(most, slices_of(r).own_rows(batch_rows).count);
  return most;
}

model::Slices Grid::slices_of(Index replica) const {
  return share_of(slices_.slices(), batch_rows_, replicas(), replica);
}

}  // namespace dmoe::exchange
