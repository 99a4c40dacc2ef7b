#include "exchange/grid.hpp"

#include <algorithm>
#include <string>

#include <fmt/format.h>

#include "core/error.hpp"
#include "exchange/topology.hpp"

namespace dmoe::exchange {

namespace {

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

void Grid::check(Index ranks, Index replicas, const BatchCut& cut, Gating gating) {
  if (replicas > cut.slices)
    throw InputError("comm.replicas is {}, but train.slices is {}: a replica needs a slice of the batch",
                     replicas, cut.slices);
  if (ranks % replicas != 0)
    throw InputError(
        "comm.replicas is {}: {} cannot be shared out to as many; start a multiple of {}, or "
        "--set comm.replicas=auto",
        replicas, ranks == 1 ? "one rank" : fmt::format("{} ranks", ranks), replicas);
  const Index fewest = most_gating_ranks(cut, replicas);
  if (gating == Gating::rows && ranks / replicas > fewest)
    throw InputError(
        "comm.gating is \"rows\", but train.gate_slices is {}: each of the {} ranks of a replica needs one "
        "of its slices, and there is a replica with {}",
        cut.slices * cut.parts(), ranks / replicas, fewest);
}

Grid::Grid(const comm::Communicator& world)
    : world_(&world), column_(std::make_shared<comm::Communicator>(comm::Communicator::local())) {}

Grid::Grid(const comm::Communicator& world, Index replicas, const BatchCut& cut, Gating gating)
    : Grid(world) {
  check(world.size(), replicas, cut, gating);
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
  cut_ = cut;
  gating_ = gating;
  slices_ = slices_of(replica());
  gate_slices_ = gate_slices_of(replica(), group().rank());
}

Index Grid::most_rows(Index batch_rows) const {
  Index most = 0;
  for (const model::Slices& slices : slices_of_column())
    most = std::max(most, slices.own_rows(batch_rows).count);
  return most;
}

model::Slices Grid::slices_of(Index replica) const {
  const ExpertRange own = Topology(cut_.slices, replicas()).range(replica);  // shared out as experts are
  return {cut_.slices, cut_.rows, own.first, own.end(), parts()};
}

model::Slices Grid::gate_slices_of(Index replica) const {
  const ExpertRange own = Topology(cut_.slices, replicas()).range(replica);
  return {cut_.slices * parts(), cut_.rows, own.first * parts(), own.end() * parts()};
}

model::Slices Grid::gate_slices_of(Index replica, Index rank) const {
  const model::Slices of_replica = gate_slices_of(replica);
  const SliceRange own = slices_at_home(gating_, of_replica.count(), group().size(), rank);
  const Index first = of_replica.first() + own.first;
  return {cut_.slices * parts(), cut_.rows, first, first + own.count};
}

std::vector<model::Slices> Grid::slices_of_column() const {
  std::vector<model::Slices> all;
  for (Index r = 0; r < replicas(); ++r) all.push_back(slices_of(r));
  return all;
}

std::vector<model::Slices> Grid::slices_of_homes() const {
  std::vector<model::Slices> all;
  const Index ranks = gating_ == Gating::rows ? group().size() : 1;  // of a replica
  for (Index r = 0; r < replicas(); ++r)
    for (Index rank = 0; rank < ranks; ++rank) all.push_back(gate_slices_of(r, rank));
  return all;
}

Homes Grid::training_homes(Index rows) const {
  return {group(), rows, gating_, gate_slices_of(replica())};
}

Homes Grid::evaluation_homes(Index rows) const {
  const Index slices = cut_.slices_of_passes();
  return {group(), rows, gating_, {slices, rows, 0, slices}};
}

model::Slices Grid::evaluation_slices(Index rows) const {
  const Index slices = cut_.slices_of_passes();
  const SliceRange own = slices_at_home(gating_, slices, group().size(), group().rank());
  return {slices, rows, own.first, own.first + own.count};
}

}  // namespace dmoe::exchange
