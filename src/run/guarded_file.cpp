#include "run/guarded_file.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <poll.h>
#include <spawn.h>
#include <string_view>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "comm/mpi_library.hpp"
#include "core/error.hpp"

namespace dmoe::run {

namespace {

using Clock = std::chrono::steady_clock;

/// Both ends close with it.
struct Pipe {
  std::array<int, 2> ends{-1, -1};
  Pipe() {
    if (pipe2(ends.data(), O_CLOEXEC) != 0) throw RunError("cannot make a pipe: {}", std::strerror(errno));
  }
  ~Pipe() {
    for (const int end : ends) {
      if (end >= 0) close(end);
    }
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  void close_writer() { close(std::exchange(ends[1], -1)); }
};

/// Without what makes a process part of an MPI job.
std::vector<char*> environment_of_child() {
  std::vector<char*> variables;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    if (!comm::is_of_launcher(*variable)) variables.push_back(*variable);
  }
  variables.push_back(nullptr);
  return variables;
}

/// What looks at files; empty: this process does.
std::string& checking_program() {
  static std::string program;
  return program;
}

std::string size_text(Index bytes) {
  return bytes < 1'000'000 ? fmt::format("{:.1f} kB", static_cast<double>(bytes) / 1e3)
                           : fmt::format("{:.1f} MB", static_cast<double>(bytes) / 1e6);
}

/// Starts the program; returns its process id.
pid_t start_check(std::vector<std::string> words, const Pipe& output) {
  posix_spawn_file_actions_t actions{};
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  for (const int stream : {STDOUT_FILENO, STDERR_FILENO})
    posix_spawn_file_actions_adddup2(&actions, output.ends[1], stream);
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  std::vector<char*> environment = environment_of_child();
  // mpirun of Open MPI 5 passes a signal on to the children of its ranks too: a request to stop is not for
  // this one.
  posix_spawnattr_t attributes{};
  posix_spawnattr_init(&attributes);
  sigset_t requests{};
  sigemptyset(&requests);
  for (const int request : {SIGUSR1, SIGTERM, SIGINT}) sigaddset(&requests, request);
  posix_spawnattr_setsigmask(&attributes, &requests);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  pid_t child = 0;
  const int problem = posix_spawn(&child, checking_program().c_str(), &actions, &attributes, arguments.data(),
                                  environment.data());
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  if (problem != 0) throw RunError("cannot start dmoe check: {}", std::strerror(problem));
  return child;
}

/// What the child says until it ends, or until the deadline: then false, and it is ended.
bool listen(const Pipe& output, pid_t child, Clock::time_point deadline, std::string& said) {
  std::array<char, 4096> buffer{};
  while (true) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    pollfd waiting{output.ends[0], POLLIN, 0};
    const int ready = left > 0 ? poll(&waiting, 1, static_cast<int>(left)) : 0;
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) {
      kill(child, SIGKILL);
      return false;
    }
    const ssize_t bytes = read(output.ends[0], buffer.data(), buffer.size());
    if (bytes < 0 && errno == EINTR) continue;
    if (bytes <= 0) return true;
    if (said.size() < 65'536) said.append(buffer.data(), static_cast<std::size_t>(bytes));
  }
}

int wait_for(pid_t child) {
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

/// "dmoe: run.h5: ..\n" -> "run.h5: .."
std::string message_in(const std::string& said) {
  const std::string_view name = "dmoe: ";
  const std::size_t begin = said.find(name);
  if (begin == std::string::npos) return said.substr(0, said.find('\n'));
  return said.substr(begin + name.size(), said.find('\n', begin) - begin - name.size());
}

}  // namespace

void check_with(std::string program) {
  checking_program() = std::move(program);
}

std::string checked_here(const std::string& path, io::Foreign foreign) {
  const io::Verified found = io::verify(path, foreign);
  return fmt::format("{}: {}, whole, {} datasets, {}\n", path, found.format, found.datasets,
                     size_text(found.bytes));
}

std::string check_in_child(const std::string& path, io::Foreign foreign) {
  if (checking_program().empty()) return checked_here(path, foreign);
  std::error_code no_size;  // then the child says what is wrong
  const auto bytes = std::filesystem::file_size(path, no_size);
  const auto seconds = 20 + (no_size ? 0 : static_cast<std::int64_t>(bytes / 20'000'000));
  Pipe output;
  std::vector<std::string> words{"dmoe", "check", "--limit", fmt::format("{}", seconds)};
  if (foreign == io::Foreign::allow) words.emplace_back("--any-hdf5");
  words.insert(words.end(), {"--", path});
  const pid_t child = start_check(std::move(words), output);
  output.close_writer();
  std::string said;
  const bool has_ended = listen(output, child, Clock::now() + std::chrono::seconds(3 * seconds), said);
  const int status = wait_for(child);
  if (!has_ended || (WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU))
    throw InputError("{}: reading it takes more than {} s: the file is damaged", path, seconds);
  if (WIFSIGNALED(status)) {
    throw InputError("{}: reading it ends the HDF5 library with signal {} ({}): the file is damaged", path,
                     WTERMSIG(status), strsignal(WTERMSIG(status)));
  }
  if (WEXITSTATUS(status) == 0) return said;
  const std::string message = message_in(said);
  if (WEXITSTATUS(status) == 2 && !message.empty()) throw InputError("{}", message);
  throw InputError("{}: cannot be read: {}", path, message.empty() ? "no reason given" : message);
}

bool is_hdf5(const std::string& path) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(path, ignored)) return false;
  std::array<char, 8> signature{};
  std::ifstream(path, std::ios::binary).read(signature.data(), signature.size());
  return std::string_view(signature.data(), signature.size()) == "\x89HDF\r\n\x1a\n";
}

void check_in_child_if_hdf5(const std::string& path) {
  if (is_hdf5(path)) check_in_child(path, io::Foreign::allow);
}

}  // namespace dmoe::run
