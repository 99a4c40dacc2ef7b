// dmoe evaluate RUN
#pragma once

#include "app/command.hpp"

namespace dmoe::app {

Action declare_evaluate(CLI::App& parser);

}  // namespace dmoe::app
