#include "app/console.hpp"

#include <spdlog/logger.h>
#include <spdlog/sinks/ostream_sink.h>

namespace dmoe::app {

namespace {

constexpr const char* erase_line = "\r\x1b[K";

/// At most `width` bytes, no UTF-8 sequence cut in two.
std::string shortened(const std::string& text, std::size_t width) {
  if (text.size() <= width) return text;
  std::size_t end = width;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
  return text.substr(0, end);
}

}  // namespace

Console::Console(std::ostream& stream, std::optional<int> width)
    : stream_(stream),
      width_(width),
      logger_(std::make_shared<spdlog::logger>(
          "dmoe", std::make_shared<spdlog::sinks::ostream_sink_st>(stream, true))) {
  logger_->set_pattern(is_terminal() ? "%v" : "%Y-%m-%d %H:%M:%S %v");
}

Console::~Console() {
  clear();
}

void Console::line(const std::string& text) {
  clear();
  logger_->info(text);
}

void Console::live(const std::string& text) {
  if (!is_terminal()) return;
  // One column stays free: a full line would wrap.
  stream_ << erase_line << shortened(text, static_cast<std::size_t>(*width_ - 1)) << std::flush;
  has_live_line_ = true;
}

void Console::clear() {
  if (has_live_line_) stream_ << erase_line << std::flush;
  has_live_line_ = false;
}

}  // namespace dmoe::app
