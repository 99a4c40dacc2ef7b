#include "data/checksum.hpp"

#include <fmt/format.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace dmoe::data {

std::string Checksum::text() const {
  return fmt::format("{:016x}", digest_);
}

void Checksum::add_bytes(const void* data, std::size_t bytes) {
  digest_ = XXH3_64bits_withSeed(data, bytes, digest_);
}

}  // namespace dmoe::data
