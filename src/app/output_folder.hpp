// The folder that a run is kept in.
#pragma once

#include <string>

#include "comm/communicator.hpp"

namespace dmoe::app {

enum class Existing { refuse, replace };

/// Throws AgreedError where the folder exists and may not be replaced, or is no folder. Changes nothing.
/// Collective.
void check_output(const comm::Communicator& world, const std::string& folder, Existing existing);

/// Makes the folder, or takes dmoe's own files out of the one that is there, and throws AgreedError where it
/// cannot be written, a rank does not see it, or it exists and may not be replaced. Collective.
void make_output(const comm::Communicator& world, const std::string& folder, Existing existing);

std::string run_file(const std::string& folder);
std::string model_file(const std::string& folder);

}  // namespace dmoe::app
