#include "sweep/child_process.hpp"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <string_view>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

#include "core/error.hpp"

namespace dmoe::sweep {

namespace {

constexpr int cannot_start = 127;  // as a shell says it

/// To both outputs' log; write(2) alone, which is safe between fork and exec.
void say(std::string_view text) {
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, text.data(), text.size());
}

/// In the child, between fork and exec: nothing that allocates.
[[noreturn]] void become(char* const* arguments, int input, int output, pid_t parent) {
  setpgid(0, 0);  // ctrl-C at the terminal is for the parent, which stops its children in order
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (getppid() != parent) _exit(cannot_start);  // it died before the line above
  for (const int signal : {SIGINT, SIGTERM, SIGUSR1, SIGPIPE}) std::signal(signal, SIG_DFL);
  dup2(input, STDIN_FILENO);
  dup2(output, STDOUT_FILENO);
  dup2(output, STDERR_FILENO);
  execvp(arguments[0], arguments);
  const char* const reason = strerrordesc_np(errno);  // strerror, but safe here
  say("dmoe: cannot start ");
  say(arguments[0]);
  say(": ");
  say(reason == nullptr ? "unknown error" : reason);
  say("\n");
  _exit(cannot_start);
}

}  // namespace

ChildProcess::ChildProcess(const std::vector<std::string>& arguments, const std::string& log, int stop_signal,
                           std::chrono::milliseconds patience)
    : stop_signal_(stop_signal), patience_(patience) {
  std::vector<char*> pointers;
  for (const std::string& argument : arguments) pointers.push_back(const_cast<char*>(argument.c_str()));
  pointers.push_back(nullptr);
  const int input = open("/dev/null", O_RDONLY | O_CLOEXEC);
  const int output = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (output < 0) {
    const int reason = errno;
    close(input);
    throw RunError("{}: cannot write the log: {}", log, std::strerror(reason));
  }
  const pid_t parent = getpid();
  id_ = fork();
  if (id_ == 0) become(pointers.data(), input, output, parent);
  const int problem = errno;
  close(input);
  close(output);
  if (id_ < 0) throw RunError("cannot start {}: {}", arguments.front(), std::strerror(problem));
}

ChildProcess::~ChildProcess() {
  stop();
  wait_at_most(patience_);
  kill();
}

void ChildProcess::wait_at_most(std::chrono::milliseconds patience) {
  const auto latest = std::chrono::steady_clock::now() + patience;
  while (!exit_status() && std::chrono::steady_clock::now() < latest)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
}

void ChildProcess::kill() {
  if (exit_status()) return;
  ::kill(-id_, SIGKILL);
  ::kill(id_, SIGKILL);
  wait_at_most(std::chrono::seconds(20));
  exit_status_ = 128 + SIGKILL;
}

void ChildProcess::terminate() const {
  if (!exit_status_) ::kill(id_, SIGTERM);
}

std::optional<int> ChildProcess::exit_status() {
  if (exit_status_) return exit_status_;
  int status = 0;
  if (waitpid(id_, &status, WNOHANG) != id_) return std::nullopt;
  exit_status_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return exit_status_;
}

void ChildProcess::stop() const {
  if (!exit_status_) ::kill(id_, stop_signal_);
}

}  // namespace dmoe::sweep
