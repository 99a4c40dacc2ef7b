// How and where this job runs, for the record.
#pragma once

#include <string>
#include <vector>

#include "comm/session.hpp"
#include "core/types.hpp"
#include "io/run_summary.hpp"

namespace dmoe::run {

/// command_line: how it was started. threads: of each rank. On the coordinator; elsewhere without the other
/// ranks' hosts. Collective.
io::Launch launch_of(const comm::Session& session, const std::string& command_line, Index threads);

/// "" where all ranks compute with one instruction set, else a warning: results then depend on which rank
/// owns what. On the coordinator. Collective.
std::string mixed_instruction_sets(const comm::Communicator& world);

}  // namespace dmoe::run
