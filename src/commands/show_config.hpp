// dmoe config: what can be set, and what a config or a run has set.
#pragma once

#include "commands/command.hpp"

namespace dmoe::commands {

Action declare_config(CLI::App& parser);

}  // namespace dmoe::commands
