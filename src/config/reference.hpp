// What is said of every key, made of the schema: TOML to read and to train, one key, Markdown, a JSON Schema.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "config/config.hpp"
#include "config/schema.hpp"

namespace dmoe::config {

/// "integer, 1 to 1000000 examples", `"none", "single" or "concatenated"`. Local.
std::string type_text(const SettingSpec& setting);

/// A config of all keys with their defaults (what has none as in an example), each with its meaning; all
/// parts that can be chosen stand in comments. It trains as it is. Local.
std::string all_keys_toml();

/// The least that trains, with what to change for data of one's own in comments. Local.
std::string new_config_toml();

/// All that is declared of a table or a key, named as by --set (entries may be left out); nothing
/// where there is none. Local.
std::optional<std::string> describe_key(const std::string& path);

/// Tables and keys by name, as describe_key() takes them. Local.
std::vector<std::string> key_names();

/// The effective config with, behind each value, where it came from and what it would be by default. Local.
std::string with_places(const Config& config);

/// The effective config with, behind each value that is not the default, the default. Local.
std::string with_defaults(const Config& config);

/// The reference of the manual. Local.
std::string reference_markdown();

/// Of a config, for editors (draft 7). Local.
std::string json_schema();

}  // namespace dmoe::config
