// Small text files, whole.
#pragma once

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>

#include "core/error.hpp"
#include "core/paths.hpp"

namespace dmoe {

/// Throws InputError where it cannot be read; `what` it should be ("the config") is for the message. Local.
inline std::string read_text_file(const std::string& path, const std::string& what) {
  if (is_folder(path)) throw InputError("{}: cannot read {}: it is a folder", path, what);
  std::ifstream stream(path, std::ios::binary);
  if (!stream) throw InputError("{}: cannot read {}: {}", path, what, std::strerror(errno));
  std::string text{std::istreambuf_iterator<char>(stream), {}};
  if (stream.bad()) throw InputError("{}: cannot read {}: {}", path, what, std::strerror(errno));
  return text;
}

}  // namespace dmoe
