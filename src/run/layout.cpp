#include "run/layout.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "comm/together.hpp"
#include "console/wording.hpp"
#include "core/error.hpp"
#include "scale/prediction.hpp"

namespace dmoe::run {

namespace {

exchange::BatchCut cut_of(const training::TrainingSpec& spec) {
  return {spec.batch_size, spec.slices, spec.gate_slices};
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

/// "5.12 ms", "512 ms".
std::string milliseconds_text(const scale::Prediction& prediction) {
  const double milliseconds = prediction.milliseconds();
  return fmt::format("{:.{}f} ms", milliseconds, milliseconds < 10 ? 2 : 0);
}

/// Whether the model knows more than coordinators of such a network.
bool is_foretold(const model::NetworkSpec& network) {
  return std::ranges::all_of(
      network.layers, [](const model::LayerSpec& layer) { return layer.is_gated() || !layer.is_sharded(); });
}

/// What the config asks for or leaves open, of what its recipe allows.
std::vector<scale::Layout> layouts_asked_for(const config::Config& config, const model::NetworkSpec& network,
                                             Index ranks, Index most_ranks) {
  using enum exchange::Gating;
  const exchange::BatchCut cut = cut_of(config.training);
  const bool is_open = config.comm.gating == "auto";
  const std::vector<exchange::Gating> gatings =
      is_open ? std::vector{coordinator, rows} : std::vector{exchange::gating_named(config.comm.gating)};
  std::vector<scale::Layout> layouts;
  if (const std::optional<Index> replicas = config.comm.replicas) {
    for (const exchange::Gating gating : gatings)
      layouts.push_back({*replicas, std::max(ranks / *replicas, Index{1}), gating});
  } else {
    layouts = scale::layouts_of(ranks, config.training.slices, most_ranks, gatings);
  }
  const auto is_allowed = [&](const scale::Layout& layout) {
    return layout.gating == coordinator ||
           layout.shards <= exchange::Grid::most_gating_ranks(cut, layout.replicas);
  };
  const bool is_offered = config.training.gate_slices > 0 && is_foretold(network);
  std::vector<scale::Layout> allowed;
  for (const scale::Layout& layout : layouts) {
    const bool is_worth_it = layout.gating == coordinator || (is_offered && layout.shards > 1);
    if (is_allowed(layout) && (!is_open || is_worth_it)) allowed.push_back(layout);
  }
  return allowed.empty() && !is_open ? layouts : allowed;  // what is asked for is refused with words
}

/// "4 shards", and who gates where that is the difference.
std::string described(const scale::Layout& layout, exchange::Gating other) {
  if (layout.gating == other || layout.shards == 1) return scale::to_text(layout);
  return fmt::format("{}, {}", scale::to_text(layout),
                     layout.gating == exchange::Gating::rows ? "gating by rows" : "one gating for all");
}

/// By the model: the same wherever it is asked.
LayoutChoice fastest_of(const std::vector<scale::Layout>& layouts, const config::Config& config,
                        const model::NetworkSpec& network) {
  const scale::Workload work = scale::workload_of(config, scale::longest_phase(config), network);
  std::vector<scale::Prediction> predictions = scale::predict(scale::default_machine(), work, layouts);
  const std::size_t place = scale::fastest(predictions);
  const scale::Prediction best = predictions[place];
  predictions.erase(predictions.begin() + static_cast<std::ptrdiff_t>(place));
  const scale::Prediction& next = predictions[scale::fastest(predictions)];
  return {best.layout.replicas, best.layout.gating,
          fmt::format("model: {} a step, next best {}: {}", milliseconds_text(best),
                      described(next.layout, best.layout.gating), milliseconds_text(next))};
}

}  // namespace

LayoutChoice choose_layout(const config::Config& config, const model::NetworkSpec& network, int ranks) {
  const Index most_ranks = std::max(network.most_experts(), Index{1});  // of a replica
  const Index slices = config.training.slices;
  const std::vector<scale::Layout> layouts = layouts_asked_for(config, network, ranks, most_ranks);
  const bool is_clear = layouts.size() == 1 || (config.comm.gating == "rows" && !is_foretold(network));
  if (is_clear && !layouts.empty()) return {layouts.front().replicas, layouts.front().gating, ""};
  if (!layouts.empty()) return fastest_of(layouts, config, network);
  if (slices == 1) return {};  // the network says what is wrong
  throw InputError(
      "{} ranks cannot be shared out: a replica has at most {}, as many as a layer has experts, and there "
      "are at "
      "most {}, as many as train.slices; start {}",
      ranks, console::counted(most_ranks, "rank"), console::counted(slices, "replica"),
      nearest(ranks, most_ranks, slices));
}

Index usable_ranks(const config::Config& config, Index most_experts, Index ranks) {
  const exchange::BatchCut cut = cut_of(config.training);
  const auto most_in_replica = [&](Index replicas) {
    return config.comm.gating == "rows"
               ? std::min(most_experts, exchange::Grid::most_gating_ranks(cut, replicas))
               : most_experts;
  };
  if (const std::optional<Index> replicas = config.comm.replicas) {
    exchange::Grid::check(ranks / *replicas * *replicas, *replicas, cut);
    if (ranks < *replicas)
      throw InputError("comm.replicas is {}, but there are no more than {}", *replicas,
                       console::counted(ranks, "rank"));
    return *replicas * std::min(ranks / *replicas, most_in_replica(*replicas));
  }
  Index usable = 1;
  for (Index replicas = 1; replicas <= std::min(cut.slices, ranks); ++replicas)
    usable = std::max(usable, replicas * std::min(ranks / replicas, most_in_replica(replicas)));
  return usable;
}

ChosenGrid make_grid(const comm::Communicator& world, const config::Config& config,
                     const model::NetworkSpec& network) {
  const exchange::BatchCut cut = cut_of(config.training);
  LayoutChoice choice;
  comm::together(world, [&] {
    choice = choose_layout(config, network, world.size());
    exchange::Grid::check(world.size(), choice.replicas, cut, choice.gating);
  });
  // Logarithms may differ between CPUs in the last bit.
  std::array<std::int64_t, 2> chosen{choice.replicas, static_cast<std::int64_t>(choice.gating)};
  world.broadcast(chosen);
  return {{world, chosen[0], cut, static_cast<exchange::Gating>(chosen[1])}, choice.reason};
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
  const Index rows = grid.slices().length();
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
