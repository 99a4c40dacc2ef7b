// dmoe config: what can be set, and what a config or a run has set.
#pragma once

#include "app/command.hpp"

namespace dmoe::app {

Action declare_config(CLI::App& parser);

}  // namespace dmoe::app
