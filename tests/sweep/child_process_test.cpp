#include "sweep/child_process.hpp"

#include <cerrno>
#include <chrono>
#include <csignal>
#include <fcntl.h>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <string>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include <gtest/gtest.h>

#include "core/error.hpp"
#include "support/message_of.hpp"
#include "support/temporary_folder.hpp"

namespace dmoe::sweep {
namespace {

using Clock = std::chrono::steady_clock;

/// Looks again and again until `is_so`; false where that takes longer than anything here should.
bool becomes(const std::function<bool()>& is_so) {
  for (const auto latest = Clock::now() + std::chrono::seconds(30); Clock::now() < latest;) {
    if (is_so()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return false;
}

bool is_alive(pid_t process) {  // or not yet waited for
  return kill(process, 0) == 0;
}

/// A folder for the log, and the shell as the child.
class ChildProcessTest : public testing::Test {
 protected:
  std::unique_ptr<ChildProcess> start(const std::string& script) const {
    return std::make_unique<ChildProcess>(std::vector<std::string>{"sh", "-c", script}, log_);
  }
  static int status_of(ChildProcess& child) {
    EXPECT_TRUE(becomes([&] { return child.exit_status().has_value(); }));
    return child.exit_status().value_or(-1);
  }
  int status_of(const std::string& script) const { return status_of(*start(script)); }

  std::string said() const {
    std::ifstream stream(log_);
    return {std::istreambuf_iterator<char>(stream), {}};
  }
  bool says(const std::string& text) const {
    return becomes([&] { return said().find(text) != std::string::npos; });
  }
  /// That the child wrote as its first line.
  pid_t process() const {
    EXPECT_TRUE(says("\n"));
    return static_cast<pid_t>(std::stol(said()));
  }

  test::TemporaryFolder folder_;
  std::string log_ = folder_ / "child.log";
};

/// Says "told" and ends with 5 when it is told to stop; its first line is its id.
constexpr const char* obedient = "trap 'echo told; exit 5' TERM; echo $$; while :; do sleep 0.02; done";

TEST_F(ChildProcessTest, gives_the_exit_status) {
  EXPECT_EQ(status_of("exit 0"), 0);
  EXPECT_EQ(status_of("exit 3"), 3);
  EXPECT_EQ(status_of("kill -KILL $$"), 128 + SIGKILL);
  EXPECT_EQ(status_of("kill -TERM $$"), 128 + SIGTERM);
}

TEST_F(ChildProcessTest, gives_no_status_while_it_runs_and_the_same_ever_after) {
  ChildProcess waiting(
      {"sh", "-c", "while ! [ -e \"$1\" ]; do sleep 0.02; done; exit 4", "sh", folder_ / "go"}, log_);
  EXPECT_FALSE(waiting.exit_status());
  std::ofstream(folder_ / "go") << "";
  EXPECT_EQ(status_of(waiting), 4);
  waiting.stop();
  EXPECT_EQ(waiting.exit_status(), 4);
}

TEST_F(ChildProcessTest, appends_both_outputs_to_the_log) {
  std::ofstream(log_) << "before\n";
  EXPECT_EQ(status_of("echo out; echo err >&2"), 0);
  EXPECT_EQ(status_of("echo again"), 0);
  EXPECT_EQ(said(), "before\nout\nerr\nagain\n");
}

TEST_F(ChildProcessTest, has_nothing_to_read) {
  const int own = dup(STDIN_FILENO);
  const int zeros = open("/dev/zero", O_RDONLY | O_CLOEXEC);
  dup2(zeros, STDIN_FILENO);
  EXPECT_EQ(status_of("head -c 5 | wc -c"), 0);
  EXPECT_EQ(said(), "0\n");
  dup2(own, STDIN_FILENO);
  close(own);
  close(zeros);
}

TEST_F(ChildProcessTest, takes_arguments_as_they_are) {
  ChildProcess child({"printf", "%s|", "a b", "", "$HOME", "x=\"1\""}, log_);
  EXPECT_EQ(status_of(child), 0);
  EXPECT_EQ(said(), "a b||$HOME|x=\"1\"|");
}

TEST_F(ChildProcessTest, that_cannot_start_ends_as_in_a_shell_and_says_why) {
  ChildProcess child({"dmoe-no-such-program"}, log_);
  EXPECT_EQ(status_of(child), 127);
  EXPECT_EQ(said(), "dmoe: cannot start dmoe-no-such-program: No such file or directory\n");
  ChildProcess folder({folder_.path().string()}, log_);
  EXPECT_EQ(status_of(folder), 127);
  EXPECT_TRUE(says("dmoe: cannot start " + folder_.path().string() + ": Permission denied\n"));
}

TEST_F(ChildProcessTest, needs_a_log) {
  const std::string message =
      test::message_of<RunError>([&] { ChildProcess({"true"}, folder_ / "missing/child.log"); });
  EXPECT_EQ(message, folder_ / "missing/child.log: cannot write the log: No such file or directory");
}

TEST_F(ChildProcessTest, stops_when_told) {
  const auto child = start(obedient);
  EXPECT_TRUE(is_alive(process()));
  child->stop();
  EXPECT_EQ(status_of(*child), 5);
  ChildProcess deaf({"sleep", "60"}, log_);  // to what it does not catch it falls
  deaf.stop();
  EXPECT_EQ(status_of(deaf), 128 + SIGTERM);
}

TEST_F(ChildProcessTest, is_told_by_the_signal_that_it_understands) {
  const std::vector<std::string> launcher{"sh", "-c",
                                          "trap 'exit 75' USR1; echo $$; while :; do sleep 0.02; done"};
  ChildProcess child(launcher, log_, SIGUSR1);
  EXPECT_TRUE(is_alive(process()));
  child.stop();
  EXPECT_EQ(status_of(child), 75);
}

TEST_F(ChildProcessTest, is_out_of_reach_of_the_keyboard) {
  const auto child = start(obedient);
  const pid_t id = process();
  EXPECT_EQ(getpgid(id), id);
}

TEST_F(ChildProcessTest, does_not_inherit_how_signals_are_taken) {
  for (const int signal : {SIGINT, SIGTERM, SIGUSR1, SIGPIPE}) {
    const auto before = std::signal(signal, SIG_IGN);
    EXPECT_EQ(status_of("kill -" + std::to_string(signal) + " $$"), 128 + signal);
    std::signal(signal, before);
  }
}

TEST_F(ChildProcessTest, ends_with_its_owner_and_leaves_no_zombie) {
  auto child = start(obedient);
  const pid_t id = process();
  EXPECT_TRUE(is_alive(id));
  child.reset();
  EXPECT_FALSE(is_alive(id));
  EXPECT_EQ(errno, ESRCH);
  EXPECT_NE(said().find("told"), std::string::npos);
}

TEST_F(ChildProcessTest, that_does_not_stop_is_killed_with_what_it_started) {
  // The second shell ignores the signal as the first does.
  const std::vector<std::string> deaf{
      "sh", "-c", "trap '' TERM; sh -c 'echo $$; while :; do sleep 0.02; done' & wait; sleep 600"};
  auto child = std::make_unique<ChildProcess>(deaf, log_, SIGTERM, std::chrono::milliseconds(100));
  const pid_t second = process();
  EXPECT_TRUE(is_alive(second));
  child.reset();
  EXPECT_TRUE(becomes([&] { return !is_alive(second); }));  // whoever adopted it waits for it
}

TEST_F(ChildProcessTest, is_killed_at_once_where_that_is_asked) {
  ChildProcess child({"sh", "-c", "trap '' TERM; echo $$; while :; do sleep 0.02; done"}, log_, SIGTERM);
  const pid_t id = process();
  child.stop();
  child.kill();
  EXPECT_FALSE(is_alive(id));
  EXPECT_EQ(child.exit_status(), 128 + SIGKILL);
  child.kill();  // of one that has ended
}

TEST_F(ChildProcessTest, is_told_to_stop_when_its_parent_is_killed) {
  const pid_t parent = fork();
  if (parent == 0) {
    const auto child = start(obedient);
    if (says("\n")) kill(getpid(), SIGKILL);
    _exit(1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(parent, &status, 0), parent);
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_TRUE(says("told"));
  const pid_t child = process();
  EXPECT_TRUE(becomes([&] { return !is_alive(child); }));  // whoever adopted it waits for it
}

}  // namespace
}  // namespace dmoe::sweep
