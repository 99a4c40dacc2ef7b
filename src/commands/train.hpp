// dmoe train CONFIG.toml --output RUN
#pragma once

#include "commands/command.hpp"

namespace dmoe::commands {

Action declare_train(CLI::App& parser);

}  // namespace dmoe::commands
