// dmoe analyze RUN
#pragma once

#include "commands/command.hpp"

namespace dmoe::commands {

Action declare_analyze(CLI::App& parser);

}  // namespace dmoe::commands
