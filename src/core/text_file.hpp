// Small text files, whole.
#pragma once

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <system_error>
#include <unistd.h>

#include <fmt/format.h>

#include "core/error.hpp"
#include "core/paths.hpp"

namespace dmoe {

/// Throws InputError where it cannot be read; `what` it should be ("the config") is for the message. A pipe
/// is waited for, and said so. Local.
inline std::string read_text_file(const std::string& path, const std::string& what) {
  const std::string other = other_than_file(path);
  if (other == "a pipe") {
    fmt::print(stderr, "{}: waiting for {} from a pipe\n", path, what);
  } else if (!other.empty()) {
    throw InputError("{}: cannot read {}: it is {}", path, what, other);
  }
  std::ifstream stream(path, std::ios::binary);
  if (!stream) throw InputError("{}: cannot read {}: {}", path, what, std::strerror(errno));
  std::string text{std::istreambuf_iterator<char>(stream), {}};
  if (stream.bad()) throw InputError("{}: cannot read {}: {}", path, what, std::strerror(errno));
  return text;
}

/// The file appears complete or not at all. Throws RunError. Local.
inline void write_text_file(const std::string& path, const std::string& text) {
  const std::filesystem::path place(path);
  const std::string aside =
      (place.parent_path() / fmt::format(".{}.partial-{}", place.filename().string(), getpid())).string();
  errno = 0;
  std::ofstream stream(aside, std::ios::binary);
  stream << text;
  stream.close();
  const int reason = errno;
  std::error_code problem;
  if (!stream.fail()) std::filesystem::rename(aside, path, problem);
  if (!stream.fail() && !problem) return;
  std::error_code ignored;
  std::filesystem::remove(aside, ignored);
  throw RunError("{}: cannot write: {}", path, problem ? problem.message() : std::strerror(reason));
}

}  // namespace dmoe
