// What is at a path. The questions of <filesystem> that answer "no" or throw where a folder above may not be
// entered, asked so that the user learns why.
#pragma once

#include <filesystem>
#include <system_error>

#include "core/error.hpp"

namespace dmoe {

/// Throws InputError where it cannot be found out. Local.
inline std::filesystem::file_status status_of(const std::filesystem::path& path) {
  std::error_code problem;
  const std::filesystem::file_status status = std::filesystem::status(path, problem);
  if (status.type() == std::filesystem::file_type::none)
    throw InputError("{}: {}", path.string(), problem.message());
  return status;
}

inline bool path_exists(const std::filesystem::path& path) {
  return std::filesystem::exists(status_of(path));
}
inline bool is_folder(const std::filesystem::path& path) {
  return std::filesystem::is_directory(status_of(path));
}

}  // namespace dmoe
