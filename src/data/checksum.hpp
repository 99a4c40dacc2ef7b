// A checksum of values in memory, by which data are known again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace dmoe::data {

/// XXH3 of 64 bits (xxHash): 0.1 s a GB. In Python:
///
///   digest = 0
///   for values in parts: digest = xxhash.xxh3_64_intdigest(values.tobytes(), digest)
class Checksum {
 public:
  /// Their bytes, after those of all before. Local.
  template <class T>
  void add(std::span<T> values) {
    add_bytes(values.data(), values.size_bytes());
  }
  /// 16 hexadecimal digits.
  std::string text() const;

 private:
  void add_bytes(const void* data, std::size_t bytes);

  std::uint64_t digest_ = 0;
};

}  // namespace dmoe::data
