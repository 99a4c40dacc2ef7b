#include "console/console.hpp"

#include <ctime>
#include <iomanip>

#include <spdlog/async.h>
#include <spdlog/async_logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/ostream_sink.h>

#include "console/wording.hpp"

namespace dmoe::console {

namespace {

constexpr const char* erase_line = "\r\x1b[K";
constexpr std::size_t lines_kept = 1024;  // unwritten; of more, the oldest are dropped

/// At most `width` bytes, no UTF-8 sequence cut in two.
std::string shortened(const std::string& text, std::size_t width) {
  if (text.size() <= width) return text;
  std::size_t end = width;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
  return text.substr(0, end);
}

}  // namespace

Console::Console(std::ostream& stream, std::optional<int> width)
    : stream_(stream), width_(width), writer_(std::make_shared<spdlog::details::thread_pool>(lines_kept, 1)) {
  auto sink = std::make_shared<spdlog::sinks::ostream_sink_st>(stream, true);
  sink->set_formatter(std::make_unique<spdlog::pattern_formatter>(
      is_terminal() ? "%v" : "%Y-%m-%d %H:%M:%S %v", spdlog::pattern_time_type::local, ""));
  logger_ = std::make_shared<spdlog::async_logger>("dmoe", std::move(sink), writer_,
                                                   spdlog::async_overflow_policy::overrun_oldest);
}

Console::~Console() {
  finish();
}

void Console::keep_in(const std::string& file, const std::string& beginning) {
  file_.open(file, std::ios::app);
  note(beginning);
}

void Console::note(const std::string& text) {
  if (!file_.is_open()) return;
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  localtime_r(&now, &local);
  file_ << std::put_time(&local, "%Y-%m-%d %H:%M:%S ") << printable(text) << std::endl;
}

void Console::line(const std::string& text) {
  clear();
  note(text);
  logger_->info("{}\n", printable(text));
}

void Console::live(const std::string& text) {
  if (!is_terminal()) return;
  // One column stays free: a full line would wrap.
  logger_->info("{}{}", erase_line, shortened(printable(text), static_cast<std::size_t>(*width_ - 1)));
  has_live_line_ = true;
}

void Console::clear() {
  if (has_live_line_) logger_->info(erase_line);
  has_live_line_ = false;
}

void Console::finish() {
  if (!writer_) return;
  clear();
  logger_.reset();
  writer_.reset();
}

void Console::close(const std::string& lines) {
  finish();
  if (file_.is_open()) file_ << printable(lines) << std::flush;
  stream_ << printable(lines) << std::flush;
}

}  // namespace dmoe::console
