// JSON of what TOML can say, for scripts.
#pragma once

#include <string>

#include <toml++/toml.h>

namespace dmoe::config {

/// With an end of line. Local.
std::string to_json(const toml::node& value);

}  // namespace dmoe::config
