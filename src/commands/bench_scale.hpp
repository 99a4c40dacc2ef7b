// dmoe bench scale
#pragma once

#include "commands/command.hpp"

namespace dmoe::commands {

/// Declares the options on the subcommand's parser and returns what runs with their values.
Action declare_bench_scale(CLI::App& parser);

}  // namespace dmoe::commands
