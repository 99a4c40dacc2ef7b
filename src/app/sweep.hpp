// dmoe sweep SWEEP.toml --output DIR (sweep/runner.hpp)
#pragma once

#include "app/command.hpp"

namespace dmoe::app {

Action declare_sweep(CLI::App& parser);

}  // namespace dmoe::app
