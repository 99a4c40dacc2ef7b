// dmoe evaluate RUN
#pragma once

#include "commands/command.hpp"

namespace dmoe::commands {

Action declare_evaluate(CLI::App& parser);

}  // namespace dmoe::commands
