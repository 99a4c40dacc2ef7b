#include "io/format.hpp"

#include <ctime>

#include <fmt/chrono.h>

namespace dmoe::io {

void write_format(hdf5::File& file, std::string_view format, const std::string& config_toml) {
  hdf5::write_format(file, format);
  file.write_text("/config", config_toml, "TOML");
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
