#include "config/reference.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <variant>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <toml++/toml.h>

#include "config/document.hpp"
#include "config/json.hpp"
#include "config/section.hpp"

namespace dmoe::config {

namespace {

constexpr const char* example_data = "synthetic";  // needs no download

bool is_integer(const SettingSpec& setting) {
  return std::holds_alternative<std::int64_t>(setting.initial);
}

std::vector<std::string> quoted(const std::vector<std::string>& names) {
  std::vector<std::string> result;
  for (const std::string& name : names) result.push_back(toml_quoted(name));
  return result;
}

/// "1 to 1000000", "at least 0", "0.0 to below 1.0"; empty where there are no limits.
std::string range_text(const SettingSpec& setting) {
  const auto number = [&](double limit) {
    return is_integer(setting) ? fmt::format("{:.0f}", limit) : toml_text(SettingValue(limit));
  };
  const bool has_least = std::isfinite(setting.minimum);
  const bool has_most = std::isfinite(setting.maximum);
  std::string text;
  if (has_least) text += (has_most ? "" : "at least ") + number(setting.minimum);
  if (has_least && has_most) text += " to ";
  if (has_most)
    text += (setting.is_below_maximum ? "below " : has_least ? "" : "at most ") + number(setting.maximum);
  return text;
}

/// "examples of a step [integer, 1 to 1000000 examples]"
std::string meaning(const SettingSpec& setting) {
  return fmt::format("{} [{}]", setting.help, type_text(setting));
}

std::string resume_text(const KeyReference& key) {
  const bool may = key.setting != nullptr && key.setting->on_resume == OnResume::freely;
  return may ? "may change" : "must stay";
}

/// A line with a comment, which begins where those of its neighbours do.
std::string commented(const std::string& line, const std::string& comment) {
  constexpr std::size_t column = 32;
  return comment.empty() ? line + "\n" : fmt::format("{:<{}}  # {}\n", line, column, comment);
}

std::string setting_line(const SettingSpec& setting, const std::string& comment = "") {
  return commented(fmt::format("{} = {}", setting.name, toml_text(setting.initial)), comment);
}

/// { rule = "margin", margin = 100.0 }
std::string inline_table(const PartKind& kind, const PartOption& option) {
  std::string text = fmt::format("{{ {} = {}", kind.selector, toml_quoted(option.name));
  for (const SettingSpec& setting : option.settings)
    text += fmt::format(", {} = {}", setting.name, toml_text(setting.initial));
  return text + " }";
}

const PartOption& example_of(const PartKind& kind) {
  const auto found = std::ranges::find(kind.options, example_data, &PartOption::name);
  return found == kind.options.end() ? kind.options.front() : *found;
}

/// All that a selector of the table may be, in comments, and one of them.
std::string selector_toml(const PartKind& kind) {
  const PartOption& chosen = example_of(kind);
  std::string text = fmt::format("# {}, one of:\n", kind.selector);
  for (const PartOption& option : kind.options) {
    text += fmt::format("#   {}: {}\n", toml_quoted(option.name), option.help);
    if (&option == &chosen) continue;
    for (const SettingSpec& setting : option.settings)
      text += "#     " + setting_line(setting, meaning(setting));
  }
  text += fmt::format("{} = {}\n", kind.selector, toml_quoted(chosen.name));
  for (const SettingSpec& setting : chosen.settings) text += setting_line(setting, meaning(setting));
  return text;
}

std::string part_toml(const PartKey& key) {
  std::string text =
      fmt::format("# {}: {}, one of{}:\n", key.name, key.help,
                  key.takes_several ? " (for all layers; or an array of these, one for each layer)" : "");
  for (const PartOption& option : key.kind.options) {
    text += fmt::format("#   {}: {}\n", inline_table(key.kind, option), option.help);
    for (const SettingSpec& setting : option.settings)
      text += fmt::format("#     {}: {}\n", setting.name, meaning(setting));
  }
  return text + fmt::format("{} = {}\n", key.name, inline_table(key.kind, key.kind.options.front()));
}

std::string table_toml(const Table& table) {
  std::string text = fmt::format("# {}\n{}\n", table.help, table.header());
  if (table.part) text += selector_toml(*table.part);
  for (const Key& key : table.keys) {
    const auto* setting = std::get_if<SettingSpec>(&key);
    text +=
        setting != nullptr ? setting_line(*setting, meaning(*setting)) : part_toml(std::get<PartKey>(key));
  }
  return text;
}

/// What it has no default for.
std::string required_toml(const Table& table) {
  std::string text;
  const auto add = [&](const SettingSpec& setting) {
    if (!setting.has_default) text += setting_line(setting, setting.help);
  };
  if (table.part) {
    const PartOption& chosen = example_of(*table.part);
    text += fmt::format("{} = {}\n", table.part->selector, toml_quoted(chosen.name));
    for (const SettingSpec& setting : chosen.settings) add(setting);
  }
  for (const Key& key : table.keys) {
    if (const auto* setting = std::get_if<SettingSpec>(&key)) {
      add(*setting);
    } else if (const auto& part = std::get<PartKey>(key); !part.has_default) {
      text += commented(fmt::format("{} = {}", part.name, inline_table(part.kind, part.kind.options.front())),
                        part.help);
    }
  }
  return text;
}

/// A key that is no table, in its table.
std::string key_toml(const KeyReference& key) {
  if (key.setting == nullptr)
    return fmt::format("{}\n{}", key.table->header(),
                       key.part != nullptr ? part_toml(*key.part) : selector_toml(*key.kind));
  const SettingSpec& setting = *key.setting;
  const std::string owner =
      key.option == nullptr ? ""
                            : fmt::format("of the {} {}; ", key.kind->kind, toml_quoted(key.option->name));
  const std::string line =
      key.part != nullptr ? fmt::format("{} = {}\n", key.part->name, inline_table(*key.kind, *key.option))
                          : setting_line(setting, setting.has_default ? "the default" : "an example");
  return fmt::format("# {}: {}\n# {}{}; on --resume: {}; since {}\n{}\n{}", key.path, setting.help, owner,
                     type_text(setting), resume_text(key), setting.since, key.table->header(), line);
}

std::string annotated(const Config& config, const std::function<std::string(const Line&)>& comment) {
  std::string text;
  for (const TableText& table : config.tables) {
    if (!text.empty()) text += "\n";
    if (!table.header.empty()) text += table.header + "\n";
    for (const Line& line : table.lines) text += commented(line.text(), comment(line));
  }
  return text;
}

std::string markdown_row(const std::string& key, const SettingSpec& setting, const std::string& resume) {
  const std::string initial = setting.has_default ? "`" + toml_text(setting.initial) + "`" : "required";
  return fmt::format("| `{}` | {} | {} | {} | {} | {} |\n", key, type_text(setting), initial, setting.help,
                     resume, setting.since);
}

constexpr const char* markdown_head =
    "| key | type and range | default | meaning | on `--resume` | since |\n|---|---|---|---|---|---|\n";

/// The options of a kind, each with its settings.
std::string markdown_of(const PartKind& kind, const Table& table, const std::string& path) {
  std::string text = fmt::format("| `{}` | meaning |\n|---|---|\n", path + kind.selector);
  for (const PartOption& option : kind.options)
    text += fmt::format("| `{}` | {} |\n", toml_quoted(option.name), option.help);
  for (const PartOption& option : kind.options) {
    if (option.settings.empty()) continue;
    text += fmt::format("\nSettings of `{}`:\n\n{}", toml_quoted(option.name), markdown_head);
    for (const SettingSpec& setting : option.settings)
      text += markdown_row(path + setting.name, setting, resume_text({"", &table, &setting}));
  }
  return text;
}

template <class... Values>
toml::array array_of(Values&&... values) {
  toml::array array;
  (array.push_back(std::forward<Values>(values)), ...);
  return array;
}

toml::table schema_of(const SettingSpec& setting) {
  toml::table result{{"description", meaning(setting)}};
  std::visit(
      [&](const auto& initial) {
        if (setting.has_default) result.insert("default", initial);
      },
      setting.initial);
  const auto limit = [&](const char* name, double value) {
    if (std::isfinite(value))
      is_integer(setting) ? result.insert(name, static_cast<std::int64_t>(value))
                          : result.insert(name, value);
  };
  if (std::holds_alternative<bool>(setting.initial)) {
    result.insert("type", "boolean");
  } else if (std::holds_alternative<std::string>(setting.initial)) {
    result.insert("type", "string");
    if (setting.form == TextForm::duration)
      result.insert("pattern", R"(^(never|(?=\d)(\d{1,6}h)?(\d{1,6}m)?(\d{1,6}s)?)$)");
    if (setting.form == TextForm::count) {
      result.insert_or_assign("type", toml::array{"string", "integer"});
      result.insert("pattern", "^(auto|[1-9][0-9]{0,5}|1000000)$");
      limit("minimum", 1);
      limit("maximum", 1e6);
    }
    toml::array names;
    for (const std::string& name : setting.names) names.push_back(name);
    if (!names.empty()) result.insert("enum", std::move(names));
  } else {
    result.insert("type", is_integer(setting) ? "integer" : "number");
    limit("minimum", setting.minimum);
    limit(setting.is_below_maximum ? "exclusiveMaximum" : "maximum", setting.maximum);
  }
  return result;
}

/// An object of these properties and no others.
toml::table object_of(toml::table properties, toml::array required) {
  return toml::table{{"type", "object"},
                     {"properties", std::move(properties)},
                     {"required", std::move(required)},
                     {"additionalProperties", false}};
}

toml::table schema_of(const PartKind& kind, const std::string& help) {
  toml::array any;
  for (const PartOption& option : kind.options) {
    toml::table properties{
        {kind.selector, toml::table{{"const", option.name}, {"description", option.help}}}};
    toml::array required = array_of(kind.selector);
    for (const SettingSpec& setting : option.settings) {
      properties.insert(setting.name, schema_of(setting));
      if (!setting.has_default) required.push_back(setting.name);
    }
    any.push_back(object_of(std::move(properties), std::move(required)));
  }
  return toml::table{{"description", help}, {"anyOf", std::move(any)}};
}

toml::table schema_of(const PartKey& key) {
  toml::table one = schema_of(key.kind, key.help);
  if (!key.takes_several) return one;
  toml::table many{{"type", "array"}, {"minItems", 1}, {"items", one}};
  return toml::table{{"description", key.help}, {"anyOf", array_of(std::move(one), std::move(many))}};
}

toml::table schema_of(const Table& table) {
  toml::table entry;
  if (table.part) {
    entry = schema_of(*table.part, table.help);
  } else {
    toml::table properties;
    toml::array required;
    for (const Key& key : table.keys) {
      if (const auto* setting = std::get_if<SettingSpec>(&key)) {
        properties.insert(setting->name, schema_of(*setting));
        if (!setting->has_default) required.push_back(setting->name);
      } else {
        const auto& part = std::get<PartKey>(key);
        properties.insert(part.name, schema_of(part));
        if (!part.has_default) required.push_back(part.name);
      }
    }
    entry = object_of(std::move(properties), std::move(required));
    entry.insert("description", table.help);
  }
  if (!table.is_array) return entry;
  return toml::table{
      {"description", table.help}, {"type", "array"}, {"minItems", 1}, {"items", std::move(entry)}};
}

}  // namespace

std::string type_text(const SettingSpec& setting) {
  if (!setting.names.empty()) return fmt::format("{}", fmt::join(quoted(setting.names), ", "));
  if (setting.form == TextForm::duration) return R"(time such as "90s", "55m", "1h30m", or "never")";
  if (setting.form == TextForm::count) return R"(integer, 1 to 1000000, or "auto")";
  if (std::holds_alternative<bool>(setting.initial)) return "true or false";
  if (std::holds_alternative<std::string>(setting.initial)) return "text";
  std::string text = is_integer(setting) ? "integer" : "number";
  if (const std::string range = range_text(setting); !range.empty()) text += ", " + range;
  return setting.unit.empty() ? text : text + " " + setting.unit;
}

std::string all_keys_toml() {
  std::string text =
      "# Every key of a config. Values are the defaults; what has none is as in an example. It trains as it "
      "is.\n";
  for (const Table& table : schema()) text += "\n" + table_toml(table);
  return text;
}

std::string new_config_toml() {
  std::string text =
      "# The least that trains; `dmoe config` lists all keys, `dmoe config train` those of a table.\n";
  for (const Table& table : schema()) {
    const std::string lines = required_toml(table);
    if (lines.empty()) continue;
    text += fmt::format("\n# {}\n{}\n", table.help, table.header());
    for (const PartOption& option : table.name == "data" ? table.part->options : std::vector<PartOption>{}) {
      const auto path = std::ranges::find(option.settings, "path", &SettingSpec::name);
      if (path == option.settings.end()) continue;
      text += fmt::format("# {} = {}, path = {}: {}; {}\n", table.part->selector, toml_quoted(option.name),
                          toml_text(path->initial), option.help, path->help);
    }
    text += lines;
  }
  return text;
}

std::optional<std::string> describe_key(const std::string& path) {
  const std::vector<Table> tables = schema();
  const std::string name = without_entries(path);
  std::string text;
  for (const Table& table : tables)
    if (table.name == name) return table_toml(table);
  for (const KeyReference& key : keys_of(tables)) {
    if (key.path == name) text += (text.empty() ? "" : "\n") + key_toml(key);
  }
  return text.empty() ? std::nullopt : std::optional(text);
}

std::vector<std::string> key_names() {
  const std::vector<Table> tables = schema();
  std::vector<std::string> names;
  for (const Table& table : tables) names.push_back(table.name);
  for (const KeyReference& key : keys_of(tables))
    if (std::ranges::find(names, key.path) == names.end()) names.push_back(key.path);
  return names;
}

std::string with_places(const Config& config) {
  return annotated(config, [](const Line& line) -> std::string {
    if (line.place.empty()) return "default";
    const bool differs = line.initial && *line.initial != line.value;
    return line.place + (differs ? "; default " + *line.initial : "");
  });
}

std::string with_defaults(const Config& config) {
  return annotated(config, [](const Line& line) {
    return line.initial && *line.initial != line.value ? "default: " + *line.initial : "";
  });
}

std::string reference_markdown() {
  std::string text =
      "# Keys of a config\n\nMade by `dmoe config --markdown`; `dmoe config KEY` says the same of one key, "
      "`dmoe config FILE` "
      "what a config comes to.\n";
  for (const Table& table : schema()) {
    text += fmt::format("\n## `{}`\n\n{}.\n", table.header(), table.help);
    if (table.may_grow_on_resume)
      text +=
          "On `--resume` entries may be added behind, and the epochs of those that are not past may "
          "change.\n";
    if (table.part) text += "\n" + markdown_of(*table.part, table, table.name + ".");
    std::string rows;
    for (const Key& key : table.keys) {
      if (const auto* setting = std::get_if<SettingSpec>(&key))
        rows += markdown_row(table.name + "." + setting->name, *setting, resume_text({"", &table, setting}));
    }
    if (!rows.empty()) text += "\n" + std::string(markdown_head) + rows;
    for (const Key& key : table.keys) {
      const auto* part = std::get_if<PartKey>(&key);
      if (part == nullptr) continue;
      text += fmt::format("\n### `{}.{}`\n\n{}{}; {}.\n\n", table.name, part->name, part->help,
                          part->takes_several ? "; a table, or an array with one for each layer" : "",
                          part->has_default
                              ? "default `" + inline_table(part->kind, part->kind.options.front()) + "`"
                              : std::string("required"));
      text += markdown_of(part->kind, table, table.name + "." + part->name + ".");
    }
  }
  return text;
}

std::string json_schema() {
  toml::table properties;
  toml::array required;
  for (const Table& table : schema()) {
    properties.insert(table.name, schema_of(table));
    if (!required_toml(table).empty()) required.push_back(table.name);
  }
  toml::table whole = object_of(std::move(properties), std::move(required));
  whole.insert("$schema", "http://json-schema.org/draft-07/schema#");
  whole.insert("title", "config of dmoe");
  return to_json(whole);
}

}  // namespace dmoe::config
