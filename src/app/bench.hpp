// dmoe bench
#pragma once

#include "app/command.hpp"

namespace dmoe::app {

Action declare_bench(CLI::App& parser);

}  // namespace dmoe::app
