#include "run/layout.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "comm/together.hpp"
#include "console/wording.hpp"
#include "core/error.hpp"

namespace dmoe::run {

namespace {

exchange::BatchCut cut_of(const training::TrainingSpec& spec) {
  return {spec.batch_size, spec.slices, spec.gate_slices};
}

/// From how many ranks of a replica on they do not wait for one that gates for all.
constexpr Index most_ranks_of_a_coordinator = 8;

exchange::Gating gating_of(const config::Config& config, Index ranks, Index replicas) {
  using enum exchange::Gating;
  if (config.comm.gating != "auto") return config.comm.gating == "rows" ? rows : coordinator;
  const Index of_each = ranks / replicas;
  const bool is_allowed = of_each <= exchange::Grid::most_gating_ranks(cut_of(config.training), replicas);
  return of_each > most_ranks_of_a_coordinator && is_allowed ? rows : coordinator;
}

/// The fewest replicas, if there are any, of up to `most_ranks` ranks each.
std::optional<Index> fewest_replicas(Index ranks, Index most_ranks, Index slices) {
  for (Index replicas = 1; replicas <= std::min(slices, ranks); ++replicas)
    if (ranks % replicas == 0 && ranks / replicas <= most_ranks) return replicas;
  return std::nullopt;
}

/// "10 or 12": the numbers of ranks nearest to one that will not do.
std::string nearest(Index ranks, Index most_ranks, Index slices) {
  std::vector<std::string> numbers;
  for (Index fewer = std::min(ranks - 1, most_ranks * slices); fewer > 0 && numbers.empty(); --fewer)
    if (fewest_replicas(fewer, most_ranks, slices)) numbers.push_back(std::to_string(fewer));
  for (Index more = ranks + 1; more <= most_ranks * slices; ++more) {
    if (!fewest_replicas(more, most_ranks, slices)) continue;
    numbers.push_back(std::to_string(more));
    break;
  }
  return fmt::format("{}", fmt::join(numbers, " or "));
}

}  // namespace

Index replicas_of(const config::Config& config, const model::NetworkSpec& network, int ranks) {
  const Index most_ranks = std::max(network.most_experts(), Index{1});  // of a replica
  const Index slices = config.training.slices;
  if (config.comm.replicas) return *config.comm.replicas;
  if (const std::optional<Index> replicas = fewest_replicas(ranks, most_ranks, slices)) return *replicas;
  if (slices == 1) return 1;  // the network says what is wrong
  throw InputError(
      "{} ranks cannot be shared out: a replica has at most {}, as many as a layer has experts, and there "
      "are at "
      "most {}, as many as train.slices; start {}",
      ranks, console::counted(most_ranks, "rank"), console::counted(slices, "replica"),
      nearest(ranks, most_ranks, slices));
}

Index usable_ranks(const config::Config& config, Index most_experts, Index ranks) {
  const Index slices = config.training.slices;
  if (const std::optional<Index> replicas = config.comm.replicas) {
    exchange::Grid::check(ranks / *replicas * *replicas, *replicas, cut_of(config.training));
    if (ranks < *replicas)
      throw InputError("comm.replicas is {}, but there are no more than {}", *replicas,
                       console::counted(ranks, "rank"));
    return *replicas * std::min(ranks / *replicas, most_experts);
  }
  Index usable = std::min(ranks, most_experts * slices);
  while (!fewest_replicas(usable, most_experts, slices)) --usable;
  return usable;
}

exchange::Grid make_grid(const comm::Communicator& world, const config::Config& config,
                         const model::NetworkSpec& network) {
  const exchange::BatchCut cut = cut_of(config.training);
  Index replicas = 1;
  auto gating = exchange::Gating::coordinator;
  comm::together(world, [&] {
    replicas = replicas_of(config, network, world.size());
    gating = gating_of(config, world.size(), replicas);
    exchange::Grid::check(world.size(), replicas, cut, gating);
  });
  return {world, replicas, cut, gating};
}

exchange::Grid make_grid_of_passes(const comm::Communicator& world, const model::NetworkSpec& network,
                                   Index batch_size, Index gate_slices) {
  const Index ranks = world.size();
  const Index replicas = *fewest_replicas(ranks, std::max(network.most_experts(), Index{1}), ranks);
  return {world, replicas, {batch_size, replicas, 0, gate_slices}};
}

std::string layout_text(const exchange::Grid& grid, Index batch_size) {
  std::string text = console::counted(grid.world().size(), "rank");
  const Index slices = grid.slices().slices();
  const Index rows = (batch_size + slices - 1) / slices;
  const Index empty = slices - (batch_size + rows - 1) / rows;
  if (grid.replicas() > 1)
    text += fmt::format(": {} of {}", console::counted(grid.replicas(), "replica"),
                        console::counted(grid.group().size(), "rank"));
  if (slices > 1)
    text += fmt::format(", {} of {}", console::counted(slices, "slice"), console::counted(rows, "example"));
  if (grid.gating() == exchange::Gating::rows && grid.group().size() > 1)
    text += fmt::format(", each gates rows of its own in {}",
                        console::counted(grid.gate_slices().slices(), "slice"));
  if (empty > 0) text += fmt::format(", {} of them empty", empty);
  return text;
}

}  // namespace dmoe::run
