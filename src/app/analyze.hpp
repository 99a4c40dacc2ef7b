// dmoe analyze RUN
#pragma once

#include "app/command.hpp"

namespace dmoe::app {

Action declare_analyze(CLI::App& parser);

}  // namespace dmoe::app
