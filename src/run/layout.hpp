// Which ranks hold what: how many replicas a start of a run has.
#pragma once

#include <string>

#include "comm/communicator.hpp"
#include "config/config.hpp"
#include "exchange/grid.hpp"
#include "model/network_spec.hpp"

namespace dmoe::run {

/// How many replicas, who gates, and why where the config leaves that open and there is more than one answer:
/// "model: 5.1 ms a step, next best 2 shards: 6 ms".
struct LayoutChoice {
  Index replicas = 1;
  exchange::Gating gating = exchange::Gating::coordinator;
  std::string reason;
};

/// Of `ranks` ranks those that the config asks for, or, where it leaves that open, those of the layout that
/// the model of scale (scale/prediction.hpp) finds fastest on its default machine, among all with which no
/// rank is without an expert. Throws InputError where there are none such. Local.
LayoutChoice choose_layout(const config::Config& config, const model::NetworkSpec& network, int ranks);

/// Of up to `ranks` ranks the most that can all have work, in the replicas that the config asks for or leaves
/// open, where no layer has more than `most_experts` experts. Throws InputError where there are none such.
/// Local.
Index usable_ranks(const config::Config& config, Index most_experts, Index ranks);

struct ChosenGrid {
  exchange::Grid grid;
  std::string reason;  // of the choice
};

/// The ranks in as many replicas as the coordinator chooses. Throws on all ranks. Collective.
ChosenGrid make_grid(const comm::Communicator& world, const config::Config& config,
                     const model::NetworkSpec& network);

/// For passes without training, whose batches are dealt to replicas whatever the recipe says of slices, and
/// gated in as many as it says: the fewest replicas with which every rank has an expert. Throws on all ranks.
/// Collective.
exchange::Grid make_grid_of_passes(const comm::Communicator& world, const model::NetworkSpec& network,
                                   Index batch_size, Index gate_slices);

/// "8 ranks: 4 replicas of 2 ranks, 4 slices of 32 examples"; "2 ranks". Local.
std::string layout_text(const exchange::Grid& grid, Index batch_size);

}  // namespace dmoe::run
