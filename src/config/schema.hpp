// Every table and key of a config, declared once: what parses, checks and documents a config is made of this.
// A new key is one line in schema.cpp and one in config.cpp, where it is used.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "config/part_kind.hpp"
#include "core/settings.hpp"

namespace dmoe::config {

/// A key whose value is a part with settings of its own: balance = { rule = "margin", margin = 100.0 }.
struct PartKey {
  std::string name;
  std::string help;
  PartKind kind;
  bool takes_several = false;  // an array with one for each layer, too
  bool has_default = false;    // the first of the kind
};

using Key = std::variant<SettingSpec, PartKey>;

/// A table [name], or the tables [[name]].
struct Table {
  std::string name;
  std::string help;
  bool is_array = false;           // [[name]], at least one
  std::optional<PartKind> part{};  // whose selector and settings stand in this table, before its other keys
  std::vector<Key> keys{};
  bool may_grow_on_resume = false;  // entries may be added behind, by rules of their own (changes.hpp)

  /// "[train]", "[[phases]]".
  std::string header() const { return is_array ? "[[" + name + "]]" : "[" + name + "]"; }
};

/// In the order of the effective config; parts that a program has added to a registry are among them. Local.
std::vector<Table> schema();

/// A key with all that may be said of it.
struct KeyReference {
  std::string path;  // as --set takes it, numbers of entries left out: "train.seed", "phases.balance.margin"
  const Table* table = nullptr;
  const SettingSpec* setting = nullptr;  // of a setting
  const PartKey* part = nullptr;         // of a key that takes a part; or of what a setting is in
  const PartKind* kind = nullptr;        // of a selector, and of the settings of what it selects
  const PartOption* option = nullptr;    // of such a setting
};

/// All keys of a schema, which must outlive them, in its order; a setting that several parts have, once for
/// each. Local.
std::vector<KeyReference> keys_of(const std::vector<Table>& schema);

/// Whether a run on that data set that goes on may have another value at this path, numbers of entries among
/// it or not. Local.
bool may_change_on_resume(std::string_view path, std::string_view data_set);

/// Whether the path lies in tables to which entries may be added, by rules of their own. Local.
bool may_grow_on_resume(std::string_view path);

/// The path without the numbers of entries: "phases.2.balance.margin" is "phases.balance.margin". Local.
std::string without_numbers(std::string_view path);

/// The path, as --set takes it, without the entries that it may name, by number from 1, by name or all by *:
/// "phases.fine_tune.balance.margin" is "phases.balance.margin". What can be no entry stays:
/// "phases.0.epochs", "train.1.seed". Local.
std::string without_entries(std::string_view path);

}  // namespace dmoe::config
