// What all files of dmoe have in common: the root attributes that say what they are.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include "hdf5/file.hpp"

namespace dmoe::hdf5 {

/// The newest that this dmoe reads, and the one it writes.
inline constexpr Index format_version = 1;
/// Counts what was added to that version: a reader of files with more does not know all that is there.
/// 1: what the data were (/data). 2: the layers of a run's network, typed (/network/layers). 3: replicas of a
/// launch.
inline constexpr Index format_minor = 3;

/// Writes format, format_version, format_minor and dmoe_version. Local or collective, as the file.
void write_format(File& file, std::string_view format);

/// The format of a file. Throws InputError where it is none of `allowed`, or newer than this dmoe. Local.
std::string check_format(const File& file, std::initializer_list<std::string_view> allowed);

/// format_minor of a file; 0 of those that do not say. Local.
Index minor_of(const File& file);

}  // namespace dmoe::hdf5
