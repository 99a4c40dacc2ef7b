// The man page dmoe(1), for groff and mandoc.
#pragma once

#include <string>

#include "app/command_reference.hpp"

namespace dmoe::app {

/// Of the whole program: every command with all its options, and the config's `keys` as TOML that explains
/// them. `version` as "0.1.0". Local.
std::string man_page(const CommandReference& program, const std::string& version, const std::string& keys);

}  // namespace dmoe::app
