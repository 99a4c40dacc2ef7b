// dmoe train CONFIG.toml --output RUN
#pragma once

#include "app/command.hpp"

namespace dmoe::app {

Action declare_train(CLI::App& parser);

}  // namespace dmoe::app
