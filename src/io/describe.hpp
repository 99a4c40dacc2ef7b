// What `dmoe info FILE` prints.
#pragma once

#include <string>

namespace dmoe::io {

/// A run or model file as a person wants to read it, ending in a newline. Throws InputError for other files,
/// saying what they are. Local.
std::string describe(const std::string& path);

}  // namespace dmoe::io
