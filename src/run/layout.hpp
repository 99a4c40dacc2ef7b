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

/// "8 ranks: 4 replicas of 2 ranks, 4 slices of 32 examples"; "2 ranks". Local.
std::string layout_text(const exchange::Grid& grid, Index batch_size);

}  // namespace dmoe::run
