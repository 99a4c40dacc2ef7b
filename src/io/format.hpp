// What run, model and checkpoint files have in common: the root attributes that say what they are, and the
// config.
#pragma once

#include <string>
#include <string_view>

#include "hdf5/format.hpp"

namespace dmoe::io {

inline constexpr std::string_view run_format = "dmoe-run";
inline constexpr std::string_view model_format = "dmoe-model";
inline constexpr std::string_view checkpoint_format = "dmoe-checkpoint";
using hdf5::check_format;
using hdf5::format_version;

/// Writes format, format_version, dmoe_version, and /config with its crc32. Local or collective, as the file.
void write_format(hdf5::File& file, std::string_view format, const std::string& config_toml);

/// /config of a run, model or checkpoint file. Throws InputError for other files, and where it does not have
/// its crc32: one digit of it may change a result. Local.
std::string read_config(const std::string& path);
std::string read_config(const hdf5::File& file);

/// An empty group in a copy of a run file, in place of the one that may be there. Throws InputError, about
/// `run_path`, where that cannot be removed: the file is damaged where nobody reads. Local.
void replace_group(hdf5::File& copy, const std::string& group, const std::string& run_path);

/// "2026-11-23T21:17:43Z". Local.
std::string utc_now();

}  // namespace dmoe::io
