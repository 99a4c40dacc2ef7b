#include "app/terminal.hpp"

#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <sys/ioctl.h>
#include <system_error>
#include <unistd.h>

#include <fmt/format.h>

namespace dmoe::app {

namespace {

constexpr int usual_width = 80;

int width_of(int descriptor) {
  winsize window{};
  if (ioctl(descriptor, TIOCGWINSZ, &window) == 0 && window.ws_col > 0) return window.ws_col;
  const char* columns = std::getenv("COLUMNS");                   // NOLINT(concurrency-mt-unsafe)
  const int typed = columns == nullptr ? 0 : std::atoi(columns);  // NOLINT(cert-err34-c)
  return typed > 0 ? typed : usual_width;
}

std::string contents(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

/// 0 where there is none to be seen.
int parent_of(int process) {
  const std::string status = contents(fmt::format("/proc/{}/stat", process));
  const std::size_t name_end = status.rfind(") ");  // "12 (a name) S 7 ..": the parent is 7
  return name_end == std::string::npos ? 0
                                       : std::atoi(status.c_str() + name_end + 4);  // NOLINT(cert-err34-c)
}

/// The nearest ancestor that was not itself started by mpirun: mpirun, or its daemon on another node. 0 where
/// it cannot be seen.
int launcher() {
  int process = getppid();
  while (process > 1 && contents(fmt::format("/proc/{}/environ", process)).find("OMPI_COMM_WORLD_SIZE=") !=
                            std::string::npos) {
    process = parent_of(process);
  }
  return process;
}

}  // namespace

std::optional<int> terminal_width() {
  if (std::getenv("OMPI_COMM_WORLD_SIZE") == nullptr) {  // NOLINT(concurrency-mt-unsafe)
    if (isatty(STDOUT_FILENO) == 0) return std::nullopt;
    return width_of(STDOUT_FILENO);
  }
  const std::string output = fmt::format("/proc/{}/fd/1", launcher());
  std::error_code unseen;
  const std::string target = std::filesystem::read_symlink(output, unseen).string();
  if (unseen || (target.rfind("/dev/pts/", 0) != 0 && target.rfind("/dev/tty", 0) != 0)) return std::nullopt;
  const int descriptor = open(output.c_str(), O_WRONLY | O_NOCTTY | O_CLOEXEC);
  if (descriptor < 0) return usual_width;
  const int width = width_of(descriptor);
  close(descriptor);
  return width;
}

}  // namespace dmoe::app
