// Other programs, started and waited for.
#pragma once

#include <chrono>
#include <csignal>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace dmoe::sweep {

/// A program under way. It is told to stop (SIGTERM) when this process dies, however that happens.
class ChildProcess {
 public:
  /// Starts arguments[0], looked for on PATH, with nothing to read; what it writes to both its outputs is
  /// appended to `log`. A program that cannot be started ends with 127, and the log says why. Throws RunError
  /// where there is no log or no process to be had. stop_signal is what it understands as a request to stop.
  /// Local.
  ChildProcess(const std::vector<std::string>& arguments, const std::string& log, int stop_signal = SIGTERM,
               std::chrono::milliseconds patience = std::chrono::seconds(20));
  /// Ends it, where nobody waited for its end: tells it to stop, and kills it with its process group where
  /// it has not ended after `patience`.
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  /// Its exit status once it has ended, 128 + n where signal n ended it; nothing while it runs. Local.
  std::optional<int> exit_status();
  /// Tells it to stop in order. Local.
  void stop() const;
  /// Tells it to end by SIGTERM, which launchers pass on to their ranks whatever else they understand. Local.
  void terminate() const;
  /// Ends it with its process group, whatever it does. One that the system cannot end, as it waits for a disk
  /// say, is given up after a while. Local.
  void kill();

 private:
  /// For its end.
  void wait_at_most(std::chrono::milliseconds patience);

  int stop_signal_;
  std::chrono::milliseconds patience_;
  pid_t id_ = 0;
  std::optional<int> exit_status_;
};

}  // namespace dmoe::sweep
