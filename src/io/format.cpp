#include "io/format.hpp"

#include <cstdint>
#include <ctime>

#include <boost/crc.hpp>
#include <fmt/chrono.h>

#include "core/error.hpp"

namespace dmoe::io {

namespace {

std::int64_t crc32(const std::string& text) {
  boost::crc_32_type crc;
  crc.process_bytes(text.data(), text.size());
  return crc.checksum();
}

}  // namespace

void write_format(hdf5::File& file, std::string_view format, const std::string& config_toml) {
  hdf5::write_format(file, format);
  file.write_text("/config", config_toml, "TOML");
  file.write_attribute("/config", "crc32", crc32(config_toml));
}

std::string read_config(const std::string& path) {
  const hdf5::File file = hdf5::File::open_read(path);
  check_format(file, {run_format, model_format, checkpoint_format});
  return read_config(file);
}

std::string read_config(const hdf5::File& file) {
  std::string config = file.read_text("/config");
  if (file.has_attribute("/config", "crc32") &&  // not of the first files
      file.read_attribute<std::int64_t>("/config", "crc32") != crc32(config))
    throw InputError("{}: /config does not have its crc32: the file is damaged", file.path());
  return config;
}

void replace_group(hdf5::File& copy, const std::string& group, const std::string& run_path) {
  try {
    if (copy.exists(group)) copy.remove(group);
  } catch (const RunError& error) {
    throw InputError("{}: {} cannot be replaced, the file is damaged: {}", run_path, group, error.what());
  }
  copy.create_group(group);
}

std::string utc_now() {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)));
}

}  // namespace dmoe::io
