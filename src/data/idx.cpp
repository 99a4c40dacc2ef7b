#include "data/idx.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include <fmt/format.h>
#include <zlib.h>

#include "core/error.hpp"
#include "core/paths.hpp"

namespace dmoe::data {
namespace {

struct CloseGzip {
  void operator()(gzFile file) const { gzclose_r(file); }
};

/// A plain or gzip file, read from front to back.
class ByteSource {
 public:
  explicit ByteSource(const std::filesystem::path& file) : name_(file.string()) {
    if (const std::string other = other_than_file(file); !other.empty())
      throw InputError("{}: is {}, expected an idx file", name_, other);
    errno = 0;
    file_.reset(gzopen(name_.c_str(), "rb"));
    if (!file_) throw InputError("{}: cannot be read: {}", name_, std::strerror(errno));
    gzbuffer(file_.get(), 1U << 18U);
  }

  /// Fills the front of `bytes` with what is left of the file, at most all of it; returns how many there
  /// were.
  std::size_t read(std::span<std::uint8_t> bytes) {
    const int count = gzread(file_.get(), bytes.data(), narrow<unsigned>(bytes.size()));
    int error = Z_OK;
    std::string_view text = gzerror(file_.get(), &error);  // "file: reason"
    if (text.starts_with(name_ + ": ")) text.remove_prefix(name_.size() + 2);
    if (error == Z_ERRNO) throw InputError("{}: cannot be read: {}", name_, text);
    // A gzip stream that stops early shows as Z_BUF_ERROR beside a count that looks fine.
    if (count < 0 || error != Z_OK) throw InputError("{}: damaged gzip file: {}", name_, text);
    return static_cast<std::size_t>(count);
  }

  const std::string& name() const { return name_; }

 private:
  std::string name_;
  std::unique_ptr<gzFile_s, CloseGzip> file_;
};

constexpr std::size_t piece_bytes = std::size_t{1} << 22U;

/// Magic number and sizes of an idx file of unsigned bytes with `Axes` axes, each at least 1.
template <std::size_t Axes>
std::array<std::uint64_t, Axes> read_header(ByteSource& source) {
  std::array<std::uint8_t, 4 * (1 + Axes)> header{};
  const std::size_t found = source.read(header);
  if (found < 4) throw InputError("{}: {} bytes are too few for an idx file", source.name(), found);
  const auto number = [&](std::size_t at) {
    return std::uint32_t{header[at]} << 24U | std::uint32_t{header[at + 1]} << 16U |
           std::uint32_t{header[at + 2]} << 8U | std::uint32_t{header[at + 3]};
  };
  constexpr std::uint32_t magic = 0x800U + Axes;
  if (number(0) != magic) {
    throw InputError("{}: magic number 0x{:08x}, expected 0x{:08x} (idx{}-ubyte)", source.name(), number(0),
                     magic, Axes);
  }
  if (found < header.size()) {
    throw InputError("{}: truncated: the header has {} bytes, expected {}", source.name(), found,
                     header.size());
  }
  std::array<std::uint64_t, Axes> sizes{};
  for (std::size_t axis = 0; axis < Axes; ++axis) {
    sizes[axis] = number(4 * (1 + axis));
    if (sizes[axis] == 0) {
      throw InputError("{}: axis {} has size 0, expected at least 1", source.name(), axis + 1);
    }
  }
  return sizes;
}

/// The bytes behind the header: exactly `expected` of them.
std::vector<std::uint8_t> read_body(ByteSource& source, std::uint64_t expected) {
  std::vector<std::uint8_t> bytes;
  while (bytes.size() < expected) {
    const std::size_t have = bytes.size();
    const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(expected - have, piece_bytes));
    bytes.resize(have + wanted);
    const std::size_t found = source.read(std::span(bytes).subspan(have));
    if (found < wanted) {
      throw InputError("{}: truncated: {} bytes behind the header, which announces {}", source.name(),
                       have + found, expected);
    }
  }
  // One read past the end also makes zlib check the gzip trailer.
  std::array<std::uint8_t, 1> extra{};
  if (source.read(extra) != 0) {
    throw InputError("{}: has bytes behind the {} that its header announces", source.name(), expected);
  }
  return bytes;
}

}  // namespace

IdxImages read_idx_images(const std::filesystem::path& file) {
  ByteSource source(file);
  const auto [count, height, width] = read_header<3>(source);
  // count * height < 2^64 as each is below 2^32; no file holds 2^62 bytes, so larger products are lies.
  constexpr std::uint64_t most = std::uint64_t{1} << 62U;
  if (count * height > most / width) {
    throw InputError("{}: the header announces {} x {} x {} pixels, more than a file can hold", source.name(),
                     count, height, width);
  }
  return {static_cast<Index>(count), static_cast<Index>(height), static_cast<Index>(width),
          read_body(source, count * height * width)};
}

std::vector<std::int32_t> read_idx_labels(const std::filesystem::path& file, Index classes) {
  ByteSource source(file);
  const auto [count] = read_header<1>(source);
  const std::vector<std::uint8_t> bytes = read_body(source, count);
  const auto bad =
      std::find_if(bytes.begin(), bytes.end(), [&](std::uint8_t label) { return label >= classes; });
  if (bad != bytes.end()) {
    throw InputError("{}: label {} is {}, allowed are 0 to {}", source.name(), bad - bytes.begin(), *bad,
                     classes - 1);
  }
  return {bytes.begin(), bytes.end()};
}

std::filesystem::path find_idx(const std::filesystem::path& folder, const std::filesystem::path& name) {
  std::filesystem::path plain = folder / name;
  std::filesystem::path zipped = plain;
  zipped += ".gz";
  if (path_exists(plain)) return plain;
  if (path_exists(zipped)) return zipped;
  throw InputError("{}: no such file, nor with .gz behind it", plain.string());
}

}  // namespace dmoe::data
