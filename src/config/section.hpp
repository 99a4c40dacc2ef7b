// Reads one table of a config by its schema. One pass checks types and ranges, fills in defaults, writes the
// effective TOML and finds the keys that nobody asked for.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <toml++/toml.h>

#include "config/document.hpp"
#include "config/line.hpp"
#include "config/schema.hpp"
#include "core/error.hpp"
#include "core/types.hpp"
#include "training/spec.hpp"

namespace dmoe::config {

/// What was read of one table.
struct TableValues : Settings {
  training::PartSpec part;  // of a table whose selector is a key of it
  std::map<std::string, std::vector<training::PartSpec>> parts;
};

/// Seconds of "90s", "55m", "1h30m"; none of "never". Of a text that was read as such. Local.
std::optional<double> seconds_of(const std::string& text);

/// A number of 1 to 1000000; nothing where it is none. Local.
std::optional<Index> parsed_count(const std::string& text);

/// Reading a value throws InputError for a wrong type or range: "config.toml:12: train.batch_size must be at
/// least 1, got 0". A missing value gives its default; one without a default is reported by finish(), after
/// unknown keys, since a misspelt key is the likelier mistake.
class Section {
 public:
  /// The root of a document, which must outlive all its sections.
  explicit Section(const Document& document) : Section(document, &document.root(), "", document.name()) {}

  /// All keys of a table that is declared so; then finish().
  TableValues read(const Table& table);
  /// One value, as it is declared.
  SettingValue value(const SettingSpec& spec);

  /// The table [key], which may be absent where all its keys have defaults.
  Section table(std::string_view key);
  /// The tables [[key]], at least one.
  std::vector<Section> tables(std::string_view key);

  /// Throws InputError for a key that is not among `keys`, with the nearest one; where the document keeps
  /// what is unknown, it is kept.
  void allow(const std::vector<std::string>& keys);
  /// The same for a key that was not read; then throws InputError for a missing one.
  void finish();
  /// Throws InputError about a value read before: "config.toml:9: train.momentum " + what.
  [[noreturn]] void refuse(std::string_view key, const std::string& what) const;

  /// "layers.2", and where it begins: "config.toml:9".
  const std::string& path() const { return path_; }
  const std::string& place() const { return place_; }
  /// What stands in a table that is there.
  const toml::table& values() const { return *values_; }
  /// Where a value came from: "config.toml:9", "--set train.seed=3"; of a default, where its table begins.
  std::string place_of(std::string_view key) const;

  /// What was read, in the order of reading; unknown keys that were kept behind it.
  const std::vector<Line>& lines() const { return lines_; }
  /// What was kept of this table and those in it: `phases.1.balance.rule = "relay"`.
  const std::vector<std::string>& unknown() const { return unknown_; }

 private:
  Section(const Document& document, const toml::table* values, std::string path, std::string place)
      : document_(&document), values_(values), path_(std::move(path)), place_(std::move(place)) {}

  Index integer(const SettingSpec& spec);
  double real(const SettingSpec& spec);
  std::string text(const SettingSpec& spec);
  bool flag(const SettingSpec& spec);
  /// A part whose selector and settings are keys of this table.
  training::PartSpec part(const PartKind& kind);
  /// Those of a key: an inline table, { rule = "margin", margin = 100.0 }, or an array of them.
  std::vector<training::PartSpec> parts(const PartKey& key);
  std::string selected(const PartKind& kind);
  std::string path_of(std::string_view key) const;
  const toml::node* find(std::string_view key);
  [[noreturn]] void wrong_type(std::string_view key, std::string_view expected,
                               const toml::node& found) const;
  void miss(std::string_view key, const std::string& expected);
  void refuse_unless_known(std::string_view key, std::string_view kind, const std::string& value,
                           const std::vector<std::string>& names) const;
  void write(std::string_view key, std::string value, std::optional<std::string> initial = std::nullopt);
  /// A part in a table of its own, which is appended to `text`.
  training::PartSpec inner_part(const PartKind& kind, const toml::node& node, const std::string& path,
                                const std::string& expected, std::string& text);
  training::PartSpec unknown_part(const PartKind& kind, const std::string& name);
  void keep(std::string_view key, const toml::node& node);
  void forget_settings_of_others(const PartKind& kind, const PartOption& chosen);

  const Document* document_;
  const toml::table* values_;           // null where the table is absent
  std::string path_;                    // "layers.2"; empty for the root
  std::string place_;                   // of the table itself
  std::vector<std::string> keys_;       // read so far
  std::vector<std::string> forgotten_;  // left behind by a selector that was overridden
  std::string missing_;                 // the first message about a missing key
  std::vector<Line> lines_;
  std::vector<std::string> unknown_;
};

}  // namespace dmoe::config
