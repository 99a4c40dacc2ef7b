// A TOML document with overrides laid over it, which knows where each of its values came from.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <toml++/toml.h>

namespace dmoe::config {

/// Parts and keys that this program does not have: refused, as a misspelt one must be; kept as they stand
/// where only training asks for them, for those who compute with a model that another program has trained; or
/// all kept, for those who only show what there is.
enum class Unknown { refused, kept_of_training, kept };

/// A value's path names tables with dots and counts in arrays from 1: "train.seed",
/// "phases.2.balance.margin".
class Document {
 public:
  /// Parses `text`, called `name` in messages, and sets every override "layers.1.hidden=50" (entries of an
  /// array by number, by their key `name`, or all by *) in it. Throws InputError: "config.toml:3:7: ..." for
  /// text that is not TOML,
  /// "--set layers.9.hidden=50: ..." for an override that has nowhere to go. Local.
  Document(const std::string& text, std::string name, const std::vector<std::string>& overrides,
           Unknown unknown = Unknown::refused);

  const toml::table& root() const { return root_; }
  const std::string& name() const { return name_; }
  /// Where the value at `path` came from: "--set train.seed=3" or "config.toml:12". Local.
  std::string place(std::string_view path, const toml::source_region& region) const;
  /// Whether the unknown part that the selector at `path` names, or the unknown key at `path`, is kept: never
  /// what an override says. Local.
  bool keeps_part(std::string_view path) const;
  bool keeps_key(std::string_view path) const;
  /// True where the value at `path`, or a table around it, came from an override. Local.
  bool is_overridden(std::string_view path) const { return override_of(path) != nullptr; }
  /// Of an override of a value inside the one at `path`: "--set phases.1.balance.margin=3"; else empty.
  /// Local.
  std::string place_below(std::string_view path) const;
  /// What was typed behind the = of the override of exactly this path. Local.
  std::optional<std::string> typed(std::string_view path) const;
  /// The text that an override of exactly this path stands in place of. Local.
  std::optional<std::string> replaced(std::string_view path) const;

 private:
  struct Override {
    std::string text;         // "train.seed=3"
    std::size_t value_start;  // of "3"; npos for a table made on the way to the value
    std::optional<std::string> replaced{};
  };
  void apply(const std::string& text);
  void apply(const Override& override, std::span<const std::string> words, toml::node& at,
             const std::string& path);
  void set(const Override& override, const std::string& key, toml::node& at, const std::string& table_path);
  const Override* override_of(std::string_view path) const;

  std::string name_;
  Unknown unknown_;
  toml::table root_;
  std::map<std::string, Override, std::less<>> overrides_;  // by path
};

/// "a, b, c". Local.
std::string joined(const std::vector<std::string>& words);

/// A key as TOML writes it. Local.
std::string toml_key(std::string_view key);

/// A value as TOML writes it, on one line. Local.
std::string toml_text(const toml::node& node);

/// A string as TOML writes it, in double quotes. Local.
std::string toml_quoted(std::string_view text);

}  // namespace dmoe::config
