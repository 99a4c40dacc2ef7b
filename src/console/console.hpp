// What the coordinator says while it works: lines that stay, and on a terminal one line that keeps changing.
// A thread of its own writes them, so that the work never waits for who reads: a terminal that stands still,
// or mpirun, which stops reading a second before it ends its ranks.
#pragma once

#include <fstream>
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

namespace dmoe::console {

class Console {
 public:
  /// With a width, a terminal of so many columns; without, a log, whose lines begin with the time. The stream
  /// must outlive it, and nothing else may use it before finish(). Local.
  Console(std::ostream& stream, std::optional<int> width);
  ~Console();
  Console(const Console&) = delete;
  Console& operator=(const Console&) = delete;

  /// From now on lines that stay are appended to this file too, behind a line of its own that says what
  /// begins. One that cannot be written is left out. Local.
  void keep_in(const std::string& file, const std::string& beginning);

  bool is_terminal() const { return width_.has_value(); }
  /// A line that stays, and one that stays in the file alone.
  void line(const std::string& text);
  void note(const std::string& text);
  /// Replaces the changing line, cut to the width. Only on a terminal.
  void live(const std::string& text);
  /// Takes the changing line away.
  void clear();
  /// Clears, and waits until all is written; no line may follow.
  void finish();
  /// Finishes, and says some lines as they stand.
  void close(const std::string& lines);

 private:
  std::ostream& stream_;
  std::ofstream file_;
  std::optional<int> width_;
  bool has_live_line_ = false;
  std::shared_ptr<spdlog::details::thread_pool> writer_;
  std::shared_ptr<spdlog::logger> logger_;
};

}  // namespace dmoe::console
