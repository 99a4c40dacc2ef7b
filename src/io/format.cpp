#include "io/format.hpp"

#include <algorithm>
#include <ctime>

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/error.hpp"
#include "core/version.hpp"

namespace dmoe::io {

void write_format(hdf5::File& file, std::string_view format, const std::string& config_toml) {
  file.write_attribute("/", "format", std::string(format));
  file.write_attribute("/", "format_version", format_version);
  file.write_attribute("/", "dmoe_version", std::string(build_info().version));
  file.write_text("/config", config_toml, "TOML");
}

std::string check_format(const hdf5::File& file, std::initializer_list<std::string_view> allowed) {
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
    throw InputError("{}: {} of format version {}, written by dmoe {}; this dmoe {} reads versions up to {}",
                     file.path(), format, version, file.read_attribute<std::string>("/", "dmoe_version"),
                     build_info().version, format_version);
  }
  return format;
}

std::string read_config(const std::string& path) {
  const hdf5::File file = hdf5::File::open_read(path);
  check_format(file, {run_format, model_format});
  return file.read_text("/config");
}

std::string utc_now() {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)));
}

}  // namespace dmoe::io
