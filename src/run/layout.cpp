#include "run/layout.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "comm/together.hpp"
#include "console/wording.hpp"
#include "core/error.hpp"

namespace dmoe::run {

Index replicas_of(const config::Config& config, const model::NetworkSpec& network, int ranks) {
  if (config.comm.replicas) return *config.comm.replicas;
  const Index most_ranks = std::max(network.most_experts(), Index{1});  // of a replica
  const Index slices = config.training.slices;
  for (Index replicas = 1; replicas <= std::min<Index>(slices, ranks); ++replicas) {
    if (ranks % replicas == 0 && ranks / replicas <= most_ranks) return replicas;
  }
  if (slices == 1) return 1;  // the network says what is wrong
  throw InputError(
      "{} ranks cannot be shared out: a replica has at most {} (the most experts of a layer), and there are "
      "at "
      "most {} replicas (train.slices); start fewer, or a multiple of {}",
      ranks, console::counted(most_ranks, "rank"), slices, std::min<Index>(slices, 2));
}

exchange::Grid make_grid(const comm::Communicator& world, const config::Config& config,
                         const model::NetworkSpec& network) {
  Index replicas = 1;
  comm::together(world, [&] {
    replicas = replicas_of(config, network, world.size());
    exchange::Grid::check(world, replicas, config.training.slices);
  });
  return {world, replicas, config.training.slices, config.training.batch_size};
}

std::string layout_text(const exchange::Grid& grid, Index batch_size) {
  std::string text = console::counted(grid.world().size(), "rank");
  const Index slices = grid.slices().slices();
  if (grid.replicas() > 1)
    text += fmt::format(": {} of {}", console::counted(grid.replicas(), "replica"),
                        console::counted(grid.group().size(), "rank"));
  if (slices > 1)
    text += fmt::format(", {} of {}", console::counted(slices, "slice"),
                        console::counted((batch_size + slices - 1) / slices, "example"));
  return text;
}

}  // namespace dmoe::run
