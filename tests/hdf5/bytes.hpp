// Files as bytes, to damage them, and what is said of the damage.
#pragma once

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "support/message_of.hpp"

namespace dmoe::test {

inline std::string bytes_of(const std::filesystem::path& path) {
  std::ostringstream bytes;
  bytes << std::ifstream(path, std::ios::binary).rdbuf();
  return bytes.str();
}

inline void put_bytes(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

}  // namespace dmoe::test
