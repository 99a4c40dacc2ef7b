// Files as bytes, to damage them.
#pragma once

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

namespace dmoe::test {

inline std::string bytes_of(const std::filesystem::path& path) {
  std::ostringstream bytes;
  bytes << std::ifstream(path, std::ios::binary).rdbuf();
  return bytes.str();
}

inline void put_bytes(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

/// The message of the Error that `action` throws; a note where it throws none.
template <class Error, class Action>
std::string message_of(Action&& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "nothing of that type was thrown";
}

}  // namespace dmoe::test
