#include "app/run.hpp"

#include <csignal>
#include <cstdio>
#include <exception>
#include <fcntl.h>
#include <string>
#include <unistd.h>

#include <fmt/format.h>

#include "app/command_line.hpp"
#include "comm/mpi_library.hpp"
#include "console/wording.hpp"
#include "core/error.hpp"
#include "core/exit_status.hpp"
#include "run/guarded_file.hpp"

namespace dmoe::app {

namespace {

void print(std::FILE* stream, const std::string& text) {
  std::fputs(text.c_str(), stream);
  std::fflush(stream);
}

/// Where the launcher is of another MPI library, there is nobody to wait for.
void wait_for_all() {
  try {
    comm::Session().finalize();
  } catch (const InputError&) {  // NOLINT(bugprone-empty-catch)
  }
}

/// Help, version and bad usage. The launcher ends the job when the first rank fails, so no rank leaves with a
/// failure before the first has said why.
int answer(const Request& request) {
  if (comm::launched_rank() == 0)
    print(request.status == ExitStatus::done ? stdout : stderr, console::printable(request.text));
  if (request.status != ExitStatus::done && comm::is_launched()) wait_for_all();
  return static_cast<int>(request.status);
}

/// A rank that fails alone: the others may be waiting for it.
[[noreturn]] void end_job(const comm::Communicator& world, ExitStatus status, const std::exception& error) {
  const std::string who = world.size() == 1 ? "" : fmt::format("rank {}: ", world.rank());
  std::fflush(stdout);
  print(stderr, fmt::format("dmoe: {}{}\n", who, console::one_line(message_of(error))));
  comm::Session::abort(static_cast<int>(status));
}

ExitStatus perform(const commands::Action& action, const commands::Job& job) {
  try {
    return action(job);
  } catch (const std::exception& error) {
    const bool is_refusal = dynamic_cast<const InputError*>(&error) != nullptr;
    const ExitStatus status = is_refusal ? ExitStatus::refused : ExitStatus::failed;
    if (!comm::is_thrown_by_all(job.world(), error)) end_job(job.world(), status, error);
    std::fflush(stdout);  // what was said before it stands before it
    if (job.world().is_coordinator())
      print(stderr, fmt::format("dmoe: {}\n", console::one_line(error.what())));
    return status;
  }
}

/// Opens what the caller closed of standard input, output and error: no file of ours may take their place.
void open_standard_streams() {
  int descriptor = open("/dev/null", O_RDWR);
  while (descriptor >= 0 && descriptor <= STDERR_FILENO) descriptor = open("/dev/null", O_RDWR);
  if (descriptor >= 0) close(descriptor);
}

/// As it may be pasted: the launcher in front, words quoted where a shell would split them.
std::string pasted(int argc, char** argv) {
  std::string line = comm::launcher_of_this_job();
  for (int i = 0; i < argc; ++i) line += (line.empty() ? "" : " ") + console::shell_quoted(argv[i]);
  return line;
}

}  // namespace

int run(int argc, char** argv) {
  open_standard_streams();
  run::check_with("/proc/self/exe");
  std::signal(SIGXFSZ, SIG_IGN);  // a file beyond `ulimit -f` is an error like a full disk
  const Request request = parse_command_line(argc, argv);
  if (!request.action) return answer(request);
  try {
    comm::Session session;
    ExitStatus status = perform(request.action, {session, pasted(argc, argv), argc > 0 ? argv[0] : "dmoe"});
    const bool is_said = std::fflush(stdout) == 0 && std::ferror(stdout) == 0;
    if (status == ExitStatus::done && !is_said) {
      print(stderr, "dmoe: cannot write to standard output\n");
      status = ExitStatus::failed;
    }
    session.finalize();
    return static_cast<int>(status);
  } catch (const InputError& error) {
    if (comm::launched_rank() == 0) print(stderr, fmt::format("dmoe: {}\n", console::one_line(error.what())));
    return static_cast<int>(ExitStatus::refused);
  } catch (const RunError& error) {
    print(stderr, fmt::format("dmoe: {}\n", console::one_line(error.what())));
    return static_cast<int>(ExitStatus::failed);
  }
}

}  // namespace dmoe::app
