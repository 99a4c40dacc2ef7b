// Which ranks hold what: how many replicas a start of a run has.
#pragma once

#include <string>

#include "comm/communicator.hpp"
#include "config/config.hpp"
#include "exchange/grid.hpp"
#include "model/network_spec.hpp"

namespace dmoe::run {

/// How many replicas of `ranks` ranks the config asks for, or, where it leaves that open, the fewest with
/// which no rank is without an expert. Throws InputError where there are none such. Local.
Index replicas_of(const config::Config& config, const model::NetworkSpec& network, int ranks);

/// Of up to `ranks` ranks the most that can all have work, in the replicas that the config asks for or leaves
/// open, where no layer has more than `most_experts` experts. Throws InputError where there are none such.
/// Local.
Index usable_ranks(const config::Config& config, Index most_experts, Index ranks);

/// The ranks in so many replicas. Throws on all ranks. Collective.
exchange::Grid make_grid(const comm::Communicator& world, const config::Config& config,
                         const model::NetworkSpec& network);

/// For passes without training, whose batches are dealt to replicas whatever the recipe says of slices, and
/// gated in as many as it says: the fewest replicas with which every rank has an expert. Throws on all ranks.
/// Collective.
exchange::Grid make_grid_of_passes(const comm::Communicator& world, const model::NetworkSpec& network,
                                   Index batch_size, Index gate_slices);

/// "8 ranks: 4 replicas of 2 ranks, 4 slices of 32 examples"; "2 ranks". Local.
std::string layout_text(const exchange::Grid& grid, Index batch_size);

}  // namespace dmoe::run
