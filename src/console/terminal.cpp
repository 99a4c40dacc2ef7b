#include "console/terminal.hpp"

#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <string>
#include <sys/ioctl.h>
#include <system_error>
#include <unistd.h>

#include <fmt/format.h>

#include "comm/mpi_library.hpp"

namespace dmoe::console {

namespace {

constexpr int usual_width = 80;

int width_of(int descriptor) {
  winsize window{};
  if (ioctl(descriptor, TIOCGWINSZ, &window) == 0 && window.ws_col > 0) return window.ws_col;
  const char* columns = std::getenv("COLUMNS");                   // NOLINT(concurrency-mt-unsafe)
  const int typed = columns == nullptr ? 0 : std::atoi(columns);  // NOLINT(cert-err34-c)
  return typed > 0 ? typed : usual_width;
}

}  // namespace

std::optional<int> terminal_width() {
  const std::optional<int> launcher = comm::launcher_process();
  if (!launcher) {
    if (isatty(STDOUT_FILENO) == 0) return std::nullopt;
    return width_of(STDOUT_FILENO);
  }
  const std::string output = fmt::format("/proc/{}/fd/1", *launcher);
  std::error_code unseen;
  const std::string target = std::filesystem::read_symlink(output, unseen).string();
  if (unseen || (target.rfind("/dev/pts/", 0) != 0 && target.rfind("/dev/tty", 0) != 0)) return std::nullopt;
  const int descriptor = open(output.c_str(), O_WRONLY | O_NOCTTY | O_CLOEXEC);
  if (descriptor < 0) return usual_width;
  const int width = width_of(descriptor);
  close(descriptor);
  return width;
}

}  // namespace dmoe::console
