// What all files of dmoe have in common: the root attributes that say what they are.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include "hdf5/file.hpp"

namespace dmoe::io {

inline constexpr std::string_view run_format = "dmoe-run";
inline constexpr std::string_view model_format = "dmoe-model";
/// The newest that this dmoe reads, and the one it writes.
inline constexpr Index format_version = 1;

/// Writes format, format_version, dmoe_version and /config. Local or collective, as the file.
void write_format(hdf5::File& file, std::string_view format, const std::string& config_toml);

/// The format of a file. Throws InputError where it is none of `allowed`, or newer than this dmoe. Local.
std::string check_format(const hdf5::File& file, std::initializer_list<std::string_view> allowed);

/// /config of a run or model file. Throws InputError for other files. Local.
std::string read_config(const std::string& path);

/// "2026-11-23T21:17:43Z". Local.
std::string utc_now();

}  // namespace dmoe::io
