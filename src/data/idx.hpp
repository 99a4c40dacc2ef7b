// Reader of idx files, the format of MNIST and its kin: a magic number 00 00 08 R (08: unsigned bytes, R
// axes), R big-endian 32-bit sizes, then the bytes, row-major (http://yann.lecun.com/exdb/mnist). Plain or
// gzip.
//
// A header is believed only as far as the content bears it out: memory grows with the bytes that are there,
// never with the sizes that a header claims.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "core/types.hpp"

namespace dmoe::data {

/// Unsigned bytes (n, height, width).
struct IdxImages {
  Index count = 0;
  Index height = 0;
  Index width = 0;
  std::vector<std::uint8_t> pixels;
};

/// The images of an idx3-ubyte file. Throws InputError that names the file, what was found and what is
/// expected: unreadable, wrong magic, an axis of size 0, truncated, bytes behind the end, damaged gzip.
/// Local.
IdxImages read_idx_images(const std::filesystem::path& file);

/// The labels (n) of an idx1-ubyte file, each in 0 .. classes - 1. Throws InputError as above; for a label
/// out of range it names index and value. Local.
std::vector<std::int32_t> read_idx_labels(const std::filesystem::path& file, Index classes);

/// `folder`/`name`, or the same with ".gz" behind it. Throws InputError where neither is there. Local.
std::filesystem::path find_idx(const std::filesystem::path& folder, const std::filesystem::path& name);

}  // namespace dmoe::data
