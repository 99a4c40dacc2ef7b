#include "hdf5/format.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/error.hpp"
#include "core/version.hpp"

namespace dmoe::hdf5 {

void write_format(File& file, std::string_view format) {
  file.write_attribute("/", "format", std::string(format));
  file.write_attribute("/", "format_version", format_version);
  file.write_attribute("/", "format_minor", format_minor);
  file.write_attribute("/", "dmoe_version", std::string(build_info().version));
}

std::string check_format(const File& file, std::initializer_list<std::string_view> allowed) {
  const std::string expected = fmt::format("{}", fmt::join(allowed, " or "));
  if (!file.has_attribute("/", "format")) {
    throw InputError("{}: an HDF5 file without dmoe's root attribute 'format'; expected {}", file.path(),
                     expected);
  }
  auto format = file.read_attribute<std::string>("/", "format");
  if (std::find(allowed.begin(), allowed.end(), format) == allowed.end()) {
    throw InputError("{}: its format is {}, expected {}", file.path(), format, expected);
  }
  const auto version = file.read_attribute<std::int64_t>("/", "format_version");
  if (version > format_version) {
    // Of a file that another program wrote for a newer dmoe, nobody knows for which.
    const std::string writer =
        file.has_attribute("/", "dmoe_version")
            ? fmt::format(", written by dmoe {}", file.read_attribute<std::string>("/", "dmoe_version"))
            : "";
    throw InputError("{}: {} of format version {}{}; this dmoe {} reads versions up to {}", file.path(),
                     format, version, writer, build_info().version, format_version);
  }
  return format;
}

Index minor_of(const File& file) {
  return file.has_attribute("/", "format_minor") ? file.read_attribute<std::int64_t>("/", "format_minor") : 0;
}

}  // namespace dmoe::hdf5
