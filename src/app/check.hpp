// dmoe check: whether files are whole.
#pragma once

#include "app/command.hpp"

namespace dmoe::app {

Action declare_check(CLI::App& parser);

}  // namespace dmoe::app
