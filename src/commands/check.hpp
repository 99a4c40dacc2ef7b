// dmoe check: whether files are whole.
#pragma once

#include "commands/command.hpp"

namespace dmoe::commands {

Action declare_check(CLI::App& parser);

}  // namespace dmoe::commands
