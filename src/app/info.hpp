// dmoe info RUN
#pragma once

#include "app/command.hpp"

namespace dmoe::app {

Action declare_info(CLI::App& parser);

}  // namespace dmoe::app
