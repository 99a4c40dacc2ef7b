// dmoe sweep SWEEP.toml --output DIR (sweep/runner.hpp)
#pragma once

#include "commands/command.hpp"

namespace dmoe::commands {

Action declare_sweep(CLI::App& parser);

}  // namespace dmoe::commands
