// What is at a path. The questions of <filesystem> that answer "no" or throw where a folder above may not be
// entered, asked so that the user learns why.
#pragma once

#include <filesystem>
#include <string>
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
/// Where a link leads that leads nowhere; empty for whatever else is at the path, or nothing. Local.
inline std::string dangling_target(const std::filesystem::path& path) {
  std::error_code none;
  const std::filesystem::path target = std::filesystem::read_symlink(path, none);
  return none || path_exists(path) ? "" : target.string();
}
/// What is at a path in place of a file that can be read to its end, "a folder" or "a pipe"; empty where it
/// is a file, or nothing is there. Reading another may wait for ever. Local.
inline std::string other_than_file(const std::filesystem::path& path) {
  switch (status_of(path).type()) {
    case std::filesystem::file_type::directory:
      return "a folder";
    case std::filesystem::file_type::fifo:
      return "a pipe";
    case std::filesystem::file_type::socket:
      return "a socket";
    case std::filesystem::file_type::block:
    case std::filesystem::file_type::character:
      return "a device";
    default:
      return "";
  }
}

}  // namespace dmoe
