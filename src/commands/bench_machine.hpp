// dmoe bench machine
#pragma once

#include "commands/command.hpp"

namespace dmoe::commands {

/// Declares the options on the subcommand's parser and returns what runs with their values.
Action declare_bench_machine(CLI::App& parser);

}  // namespace dmoe::commands
