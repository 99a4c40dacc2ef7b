#include "console/wording.hpp"

#include <algorithm>
#include <cctype>
#include <cmath>

#include <fmt/format.h>

namespace dmoe::console {

std::string grouped(Index count) {
  std::string digits = fmt::format("{}", count);
  const std::size_t sign = count < 0 ? 1 : 0;
  for (std::size_t end = digits.size(); end > sign + 3;) digits.insert(end -= 3, ",");
  return digits;
}

std::string duration(double seconds) {
  const auto whole = static_cast<Index>(std::llround(seconds));
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{} min {} s", whole / 60, whole % 60);
  return fmt::format("{} h {} min", grouped(whole / 3600), whole / 60 % 60);
}

std::string score_text(const training::Score& score) {
  return fmt::format("{:.2f} % (loss {:.4f})", 100 * score.error, score.loss);
}

std::string network_text(const std::vector<model::LayerSpec>& layers) {
  std::string text;
  for (const model::LayerSpec& layer : layers) {
    text += text.empty() ? "" : " - ";
    if (layer.is_sharded()) text += fmt::format("{}x", layer.experts);
    text += fmt::format("{}", layer.hidden);
    if (layer.kind != model::LayerKind::mixture) text += " " + model::to_text(layer.kind);
  }
  return text;
}

std::string counted(Index count, const std::string& noun) {
  return fmt::format("{} {}{}", grouped(count), noun, count == 1 ? "" : "s");
}

std::string shell_quoted(const std::string& word) {
  const auto is_plain = [](unsigned char c) {
    return std::isalnum(c) != 0 || c >= 0x80 ||
           std::string_view("_@%+=:,./-").find(static_cast<char>(c)) != std::string_view::npos;
  };
  if (!word.empty() && std::ranges::all_of(word, is_plain)) return word;
  std::string quoted = "'";
  for (const char c : word) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

namespace {

/// Bytes of the UTF-8 character at the beginning of `text`; 1 where that is none.
std::size_t length_of_character(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const std::size_t length = byte(0) < 0xC2   ? 1
                             : byte(0) < 0xE0 ? 2
                             : byte(0) < 0xF0 ? 3
                             : byte(0) < 0xF5 ? 4
                                              : 1;
  if (length > text.size()) return 1;
  for (std::size_t i = 1; i < length; ++i)
    if ((byte(i) & 0xC0U) != 0x80U) return 1;
  return length;
}

/// U+202A to U+202E and U+2066 to U+2069, with which a name can show itself as another.
bool turns_direction(std::string_view character) {
  return (character >= "\u202a" && character <= "\u202e") || (character >= "\u2066" && character <= "\u2069");
}

}  // namespace

std::string printable(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    const std::string_view character = text.substr(0, length_of_character(text));
    const auto first = static_cast<unsigned char>(character.front());
    const auto last = static_cast<unsigned char>(character.back());
    const bool is_control = character.size() == 1
                                ? (first < 0x20 && first != '\n') || first >= 0x7F  // or no UTF-8
                                : first == 0xC2 && last < 0xA0;                     // of 8 bits
    if (is_control) {
      result += fmt::format("\\x{:02x}", last);
    } else if (turns_direction(character)) {
      result += fmt::format("\\u20{:x}", last < 0xAA ? last - 0x40 : last - 0x80);
    } else {
      result += character;
    }
    text.remove_prefix(character.size());
  }
  return result;
}

std::string one_line(std::string_view message) {
  constexpr std::size_t most = 2000;
  std::string line;
  const auto add = [&line](std::string_view part) {
    for (const char character : printable(part)) character == '\n' ? line += "\\x0a" : line += character;
  };
  const auto inside_character = [&](std::size_t at) {
    return (static_cast<unsigned char>(message[at]) & 0xC0U) == 0x80U;
  };
  if (message.size() <= most) {
    add(message);
    return line;
  }
  std::size_t head = most / 2;
  std::size_t tail = message.size() - most / 2;
  while (head > 0 && inside_character(head)) --head;
  while (tail < message.size() && inside_character(tail)) ++tail;
  add(message.substr(0, head));
  line += " .. ";
  add(message.substr(tail));
  return line;
}

}  // namespace dmoe::console
