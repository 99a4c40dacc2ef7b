// What run and model files have in common: the root attributes that say what they are, and the config.
#pragma once

#include <string>
#include <string_view>

#include "hdf5/format.hpp"

namespace dmoe::io {

inline constexpr std::string_view run_format = "dmoe-run";
inline constexpr std::string_view model_format = "dmoe-model";
using hdf5::check_format;
using hdf5::format_version;

/// Writes format, format_version, dmoe_version and /config. Local or collective, as the file.
void write_format(hdf5::File& file, std::string_view format, const std::string& config_toml);

/// /config of a run or model file. Throws InputError for other files. Local.
std::string read_config(const std::string& path);

/// "2026-11-23T21:17:43Z". Local.
std::string utc_now();

}  // namespace dmoe::io
