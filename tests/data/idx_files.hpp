// Writers of idx files, kept apart from the reader they test.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "support/message_of.hpp"

namespace dmoe::data::test {

using dmoe::test::message_of;

/// Bytes of an idx file of unsigned bytes: magic number, big-endian sizes, body.
inline std::string idx_bytes(const std::vector<std::uint32_t>& sizes, const std::string& body) {
  const auto big_endian = [](std::uint32_t value) {
    std::string bytes;
    for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift & 0xFFU);
    return bytes;
  };
  std::string bytes = big_endian(0x800U + static_cast<std::uint32_t>(sizes.size()));
  for (const std::uint32_t size : sizes) bytes += big_endian(size);
  return bytes + body;
}

inline void write_file(const std::filesystem::path& file, const std::string& bytes) {
  std::ofstream(file, std::ios::binary) << bytes;
}

inline std::string file_bytes(const std::filesystem::path& file) {
  std::string bytes(std::filesystem::file_size(file), '\0');
  std::ifstream(file, std::ios::binary).read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  return bytes;
}

/// `count` bytes 0, 1, .. wrapped at `modulus`.
inline std::string counting(std::size_t count, unsigned modulus = 251) {
  std::string bytes;
  for (std::size_t i = 0; i < count; ++i) bytes += static_cast<char>(i % modulus);
  return bytes;
}

}  // namespace dmoe::data::test
