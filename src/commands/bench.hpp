// dmoe bench
#pragma once

#include "commands/command.hpp"

namespace dmoe::commands {

Action declare_bench(CLI::App& parser);

}  // namespace dmoe::commands
