// dmoe info RUN
#pragma once

#include "commands/command.hpp"

namespace dmoe::commands {

Action declare_info(CLI::App& parser);

}  // namespace dmoe::commands
