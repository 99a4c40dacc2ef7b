#include "config/document.hpp"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <functional>
#include <sstream>
#include <string_view>
#include <utility>

#include "core/error.hpp"
#include "core/types.hpp"

namespace dmoe::config {

namespace {

/// One line: toml++ breaks some of its descriptions.
std::string description(const toml::parse_error& error) {
  std::string text(error.description());
  for (char& c : text) {
    if (c == '\n') c = ' ';
  }
  return text;
}

/// toml++ limits how deep values lie in each other, but not the parts of a key; what walks the tables
/// recurses.
void check_keys(const std::string& text, const std::string& name) {
  constexpr std::ptrdiff_t most = 256;
  std::size_t number = 1;
  for (std::size_t start = 0; start < text.size(); ++number) {
    const std::string_view line = std::string_view(text).substr(start, text.find('\n', start) - start);
    const std::string_view key = line.substr(0, line.find_first_of("=#"));
    if (const auto parts = 1 + std::count(key.begin(), key.end(), '.'); parts > most)
      throw InputError("{}:{}: a key of {} parts, allowed are {}", name, number, parts, most);
    start += line.size() + 1;
  }
}

/// The value typed in an override: TOML where it is TOML, else a bare string.
toml::table parsed_value(const std::string& text) {
  try {
    toml::table one = toml::parse("value = " + text);
    if (one.size() == 1) return one;
  } catch (const toml::parse_error&) {
  }
  return toml::parse("value = " + toml_quoted(text));
}

/// The entry (from 1) of an array that a word names: the value of its key `name`, or else its number.
std::size_t entry_named(const toml::array& entries, const std::string& word) {
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const toml::table* entry = entries[i].as_table();
    if (entry != nullptr && (*entry)["name"].value<std::string>() == word) return i + 1;
  }
  std::size_t number = 0;
  const auto [end, problem] = std::from_chars(word.data(), word.data() + word.size(), number);
  const bool is_number = problem == std::errc{} && end == word.data() + word.size();
  return is_number && number <= entries.size() ? number : 0;
}

std::vector<std::string> split_at_dots(const std::string& text) {
  std::vector<std::string> words;
  for (std::size_t start = 0; start <= text.size();) {
    const std::size_t end = std::min(text.find('.', start), text.size());
    words.push_back(text.substr(start, end - start));
    start = end + 1;
  }
  return words;
}

/// A step from a table or array to what the next word of an override names in it; the path grows with it.
toml::node& child(toml::node& parent, const std::string& word, std::string& path, const std::string& text) {
  if (toml::table* table = parent.as_table()) {
    if (!table->contains(word)) table->insert(word, toml::table{});
    path += (path.empty() ? "" : ".") + word;
    return *table->get(word);
  }
  if (toml::array* array = parent.as_array()) {
    const std::size_t entry = entry_named(*array, word);
    if (entry == 0) {
      throw InputError(
          "--set {}: {} has no entry {}; its entries are numbered 1 to {} or called by their name", text,
          path, word, array->size());
    }
    path += fmt::format(".{}", entry);
    return *array->get(entry - 1);
  }
  throw InputError("--set {}: {} is a value, not a table", text, path);
}

bool has_child(const toml::node& parent, const std::string& word) {
  return !parent.is_table() || parent.as_table()->contains(word);
}

}  // namespace

std::string joined(const std::vector<std::string>& words) {
  std::string list;
  for (const std::string& word : words) list += (list.empty() ? "" : ", ") + word;
  return list;
}

std::string toml_quoted(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      result += {'\\', c};
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      result += fmt::format("\\u{:04X}", static_cast<unsigned>(c));
    } else {
      result += c;
    }
  }
  return result + '"';
}

std::string toml_key(std::string_view key) {
  const auto is_bare = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  };
  return !key.empty() && std::ranges::all_of(key, is_bare) ? std::string(key) : toml_quoted(key);
}

std::string toml_text(const toml::node& node) {
  if (const toml::table* table = node.as_table()) {
    std::vector<std::string> lines;
    for (const auto& [key, value] : *table)
      lines.push_back(fmt::format("{} = {}", toml_key(key.str()), toml_text(value)));
    return lines.empty() ? "{}" : fmt::format("{{ {} }}", joined(lines));
  }
  if (const toml::array* array = node.as_array()) {
    std::vector<std::string> entries;
    for (const toml::node& entry : *array) entries.push_back(toml_text(entry));
    return fmt::format("[{}]", joined(entries));
  }
  if (const auto* text = node.as_string()) return toml_quoted(text->get());
  std::ostringstream text;
  node.visit([&](const auto& value) {
    if constexpr (toml::is_value<decltype(value)>) text << value;
  });
  return text.str();
}

Document::Document(const std::string& text, std::string name, const std::vector<std::string>& overrides,
                   Unknown unknown)
    : name_(std::move(name)), unknown_(unknown) {
  check_keys(text, name_);
  try {
    root_ = toml::parse(text);
  } catch (const toml::parse_error& error) {
    const toml::source_position at = error.source().begin;
    throw InputError("{}:{}:{}: {}", name_, at.line, at.column, description(error));
  }
  for (const std::string& one : overrides) apply(one);
}

void Document::apply(const std::string& text) {
  const std::size_t equals = text.find('=');
  if (equals == 0 || equals == std::string::npos) {
    throw InputError("--set {}: expected key=value, for example --set train.seed=3", text);
  }
  const std::vector<std::string> words = split_at_dots(text.substr(0, equals));
  for (const std::string& word : words) {
    if (word.empty()) throw InputError("--set {}: the key has an empty part", text);
  }
  apply({text, equals + 1}, words, root_, "");
}

/// The words lead from a node, at that path, to the value.
void Document::apply(const Override& override, std::span<const std::string> words, toml::node& at,
                     const std::string& path) {
  const std::string& text = override.text;
  if (words.size() == 1) return set(override, words.front(), at, path);
  if (words.front() == "*" && at.is_array()) {
    std::size_t number = 0;
    for (toml::node& entry : *at.as_array())
      apply(override, words.subspan(1), entry, fmt::format("{}.{}", path, ++number));
    return;
  }
  if (words.front() == "*")
    throw InputError("--set {}: {} is no array", text, path.empty() ? "the config" : path);
  std::string deeper = path;
  const bool is_new = !has_child(at, words.front());
  toml::node& next = child(at, words.front(), deeper, text);
  if (is_new) overrides_.try_emplace(deeper, Override{text, std::string::npos});
  apply(override, words.subspan(1), next, deeper);
}

void Document::set(const Override& override, const std::string& key, toml::node& at,
                   const std::string& table_path) {
  const std::string& text = override.text;
  if (at.is_array())
    throw InputError("--set {}: {} is an array; name a key of one of its entries", text, table_path);
  toml::table* table = at.as_table();
  if (table == nullptr) throw InputError("--set {}: {} is a value, not a table", text, table_path);
  const auto replaced = (*table)[key].value<std::string>();
  try {
    table->insert_or_assign(key, *parsed_value(text.substr(override.value_start)).get("value"));
  } catch (const toml::parse_error& error) {
    throw InputError("--set {}: {}", text, description(error));
  }
  const std::string path = table_path + (table_path.empty() ? "" : ".") + key;
  const auto earlier = overrides_.find(path);  // of two overrides the last counts
  overrides_.insert_or_assign(path,
                              Override{text, override.value_start,
                                       earlier == overrides_.end() ? replaced : earlier->second.replaced});
}

std::string Document::place(std::string_view path, const toml::source_region& region) const {
  if (const Override* found = override_of(path)) return "--set " + found->text;
  if (region.begin.line == 0) return name_;
  return fmt::format("{}:{}", name_, region.begin.line);
}

std::optional<std::string> Document::typed(std::string_view path) const {
  const auto found = overrides_.find(path);
  if (found == overrides_.end() || found->second.value_start == std::string::npos) return std::nullopt;
  return found->second.text.substr(found->second.value_start);
}

std::optional<std::string> Document::replaced(std::string_view path) const {
  const auto found = overrides_.find(path);
  return found == overrides_.end() ? std::nullopt : found->second.replaced;
}

std::string Document::place_below(std::string_view path) const {
  const auto found = std::ranges::find_if(overrides_, [&](const auto& override) {
    const std::string& other = override.first;
    return other.starts_with(path) && other.size() > path.size() && other[path.size()] == '.';
  });
  return found == overrides_.end() ? "" : "--set " + found->second.text;
}

bool Document::keeps_part(std::string_view path) const {
  if (is_overridden(path)) return false;
  return unknown_ == Unknown::kept || (unknown_ == Unknown::kept_of_training && path.starts_with("phases."));
}

bool Document::keeps_key(std::string_view path) const {
  if (is_overridden(path) || !place_below(path).empty()) return false;
  if (unknown_ != Unknown::kept_of_training) return unknown_ == Unknown::kept;
  // What these say a model and its inputs are made of.
  const auto is_of = [&](std::string_view table) { return path.starts_with(table) && path != table; };
  return !is_of("data") && !is_of("layers") && !is_of("network") && !is_of("numerics") &&
         path.find(".routing") == std::string_view::npos;
}

const Document::Override* Document::override_of(std::string_view path) const {
  while (!path.empty()) {
    if (const auto found = overrides_.find(path); found != overrides_.end()) return &found->second;
    const std::size_t end = path.rfind('.');
    path = path.substr(0, end == std::string_view::npos ? 0 : end);
  }
  return nullptr;
}

}  // namespace dmoe::config
