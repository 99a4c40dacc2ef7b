// A line of the effective config.
#pragma once

#include <optional>
#include <string>

namespace dmoe::config {

/// One key of a table as it was read.
struct Line {
  std::string key;
  std::string value;                     // as TOML writes it
  std::string place;                     // "config.toml:9", "--set train.seed=3"; of a default empty
  std::optional<std::string> initial{};  // the default, where there is one
  std::string text() const { return key + " = " + value; }
};

}  // namespace dmoe::config
