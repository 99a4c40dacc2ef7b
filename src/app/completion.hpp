// What bash completes after `dmoe`.
#pragma once

#include <string>

#include "app/command_reference.hpp"

namespace dmoe::app {

/// A script for bash to source: commands, their options, the names and files that options take. Local.
std::string bash_completion(const CommandReference& program);

}  // namespace dmoe::app
