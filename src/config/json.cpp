#include "config/json.hpp"

#include <sstream>

namespace dmoe::config {

std::string to_json(const toml::node& value) {
  std::ostringstream text;
  text << toml::json_formatter(value) << "\n";
  return text.str();
}

}  // namespace dmoe::config
