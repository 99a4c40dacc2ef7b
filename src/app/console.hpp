// What the coordinator says while it works: lines that stay, and on a terminal one line that keeps changing.
// A thread of its own writes them, so that the work never waits for who reads: a terminal that stands still,
// or mpirun, which stops reading a second before it ends its ranks.
#pragma once

#include <memory>
#include <optional>
#include <ostream>
#include <string>

namespace spdlog {
class logger;
namespace details {
class thread_pool;
}
}  // namespace spdlog

namespace dmoe::app {

class Console {
 public:
  /// With a width, a terminal of so many columns; without, a log, whose lines begin with the time. The stream
  /// must outlive it, and nothing else may use it before finish(). Local.
  Console(std::ostream& stream, std::optional<int> width);
  ~Console();
  Console(const Console&) = delete;
  Console& operator=(const Console&) = delete;

  bool is_terminal() const { return width_.has_value(); }
  /// A line that stays.
  void line(const std::string& text);
  /// Replaces the changing line, cut to the width. Only on a terminal.
  void live(const std::string& text);
  /// Takes the changing line away.
  void clear();
  /// Clears, and waits until all is written; nothing may follow.
  void finish();

 private:
  std::optional<int> width_;
  bool has_live_line_ = false;
  std::shared_ptr<spdlog::details::thread_pool> writer_;
  std::shared_ptr<spdlog::logger> logger_;
};

}  // namespace dmoe::app
