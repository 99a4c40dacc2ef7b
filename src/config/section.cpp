#include "config/section.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <regex>

#include "core/suggestion.hpp"

namespace dmoe::config {

namespace {

/// What a value is, as a message calls it: `the string "abc"`, `3.5`, `a table`.
std::string named(const toml::node& node) {
  if (node.is_table()) return "a table";
  if (node.is_array()) return "an array";
  if (const auto* text = node.as_string()) return "the string " + toml_quoted(text->get());
  if (const auto* real = node.as_floating_point()) return toml_text(real->get());
  if (const auto* integer = node.as_integer()) return fmt::format("{}", integer->get());
  if (const auto* flag = node.as_boolean()) return flag->get() ? "true" : "false";
  return "a date or time";
}

/// Nothing where it is no time.
std::optional<double> parsed_seconds(const std::string& text) {
  static const std::regex form(R"((?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,6})s)?)");
  std::smatch parts;
  if (text.empty() || !std::regex_match(text, parts, form)) return std::nullopt;
  const auto number = [&](std::size_t i) { return parts[i].matched ? std::stod(parts[i].str()) : 0; };
  const double seconds = 3600 * number(1) + 60 * number(2) + number(3);
  return seconds > 0 ? std::optional<double>(seconds) : std::nullopt;
}

std::vector<std::string> names_of(const PartKind& kind) {
  std::vector<std::string> names;
  for (const PartOption& option : kind.options) names.push_back(option.name);
  return names;
}

bool has_setting(const PartOption& option, std::string_view name) {
  return std::any_of(option.settings.begin(), option.settings.end(),
                     [name](const SettingSpec& spec) { return spec.name == name; });
}

/// The option has a text of that name with another default.
bool has_other_text(const PartOption& option, const SettingSpec& spec) {
  return std::any_of(option.settings.begin(), option.settings.end(), [&](const SettingSpec& own) {
    return own.name == spec.name && std::holds_alternative<std::string>(own.initial) &&
           own.initial != spec.initial;
  });
}

bool contains(const std::vector<std::string>& words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

}  // namespace

std::optional<double> seconds_of(const std::string& text) {
  return text == "never" ? std::nullopt : parsed_seconds(text);
}

std::optional<Index> parsed_count(const std::string& text) {
  constexpr Index most = 1'000'000;
  Index count = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  const bool is_number = error == std::errc() && rest == text.data() + text.size();
  return is_number && text.front() != '0' && count >= 1 && count <= most ? std::optional(count)
                                                                         : std::nullopt;
}

std::string Section::path_of(std::string_view key) const {
  return fmt::format("{}{}{}", path_, path_.empty() ? "" : ".", key);
}

const toml::node* Section::find(std::string_view key) {
  keys_.emplace_back(key);
  return values_ == nullptr || contains(forgotten_, key) ? nullptr : values_->get(key);
}

std::string Section::place_of(std::string_view key) const {
  const toml::node* node = values_ == nullptr || contains(forgotten_, key) ? nullptr : values_->get(key);
  return node == nullptr ? place_ : document_->place(path_of(key), node->source());
}

void Section::refuse(std::string_view key, const std::string& what) const {
  throw InputError("{}: {} {}", place_of(key), path_of(key), what);
}

void Section::wrong_type(std::string_view key, std::string_view expected, const toml::node& found) const {
  refuse(key, fmt::format("must be {}, got {}", expected, named(found)));
}

void Section::miss(std::string_view key, const std::string& expected) {
  if (missing_.empty())
    missing_ = fmt::format("{}: {} is missing; it must be {}", place_, path_of(key), expected);
}

void Section::write(std::string_view key, std::string value, std::optional<std::string> initial) {
  const bool is_given = values_ != nullptr && !contains(forgotten_, key) && values_->contains(key);
  std::string place = is_given ? document_->place_below(path_of(key)) : "";
  if (is_given && place.empty()) place = place_of(key);
  lines_.push_back({std::string(key), std::move(value), std::move(place), std::move(initial)});
}

Index Section::integer(const SettingSpec& spec) {
  Index value = std::get<std::int64_t>(spec.initial);
  if (const toml::node* node = find(spec.name)) {
    if (!node->is_integer()) wrong_type(spec.name, "an integer", *node);
    value = node->as_integer()->get();
  } else if (!spec.has_default) {
    miss(spec.name, "an integer");
  }
  // Exact: limits are small, or beyond all integers.
  if (static_cast<double>(value) < spec.minimum)
    refuse(spec.name, fmt::format("must be at least {:.0f}, got {}", spec.minimum, value));
  if (static_cast<double>(value) > spec.maximum)
    refuse(spec.name, fmt::format("must be at most {:.0f}, got {}", spec.maximum, value));
  return value;
}

double Section::real(const SettingSpec& spec) {
  double value = std::get<double>(spec.initial);
  if (const toml::node* node = find(spec.name)) {
    if (!node->is_number()) wrong_type(spec.name, "a number", *node);
    value = *node->value<double>();
  } else if (!spec.has_default) {
    miss(spec.name, "a number");
  }
  if (!std::isfinite(value)) refuse(spec.name, fmt::format("must be a finite number, got {}", value));
  const auto out_of_range = [&](std::string_view side, double limit) {
    refuse(spec.name, fmt::format("must be {} {}, got {}", side, toml_text(limit), toml_text(value)));
  };
  if (value < spec.minimum) out_of_range("at least", spec.minimum);
  if (spec.is_below_maximum && value >= spec.maximum) out_of_range("below", spec.maximum);
  if (value > spec.maximum) out_of_range("at most", spec.maximum);
  return value;
}

std::string Section::text(const SettingSpec& spec) {
  const toml::node* node = find(spec.name);
  auto value = std::get<std::string>(spec.initial);
  if (node != nullptr && node->is_string()) {
    value = node->as_string()->get();
  } else if (const auto typed = document_->typed(path_of(spec.name))) {
    value = *typed;  // --set data.path=2024
  } else if (node != nullptr && spec.form == TextForm::count && node->is_integer()) {
    value = std::to_string(node->as_integer()->get());
  } else if (node != nullptr) {
    wrong_type(spec.name, spec.form == TextForm::count ? "an integer or \"auto\"" : "a string", *node);
  } else if (!spec.has_default) {
    miss(spec.name, "a string");
  }
  if (!spec.names.empty()) refuse_unless_known(spec.name, spec.name, value, spec.names);
  if (spec.form == TextForm::duration && value != "never" && !parsed_seconds(value)) {
    refuse(spec.name, fmt::format(R"(must be a time such as "90s", "55m" or "1h30m", or "never", got {})",
                                  toml_quoted(value)));
  }
  if (spec.form == TextForm::count && value != "auto" && !parsed_count(value))
    refuse(spec.name,
           fmt::format(R"(must be an integer of 1 to 1000000, or "auto", got {})", toml_quoted(value)));
  return value;
}

bool Section::flag(const SettingSpec& spec) {
  const toml::node* node = find(spec.name);
  if (node != nullptr && !node->is_boolean()) wrong_type(spec.name, "true or false", *node);
  return node == nullptr ? std::get<bool>(spec.initial) : node->as_boolean()->get();
}

void Section::refuse_unless_known(std::string_view key, std::string_view kind, const std::string& value,
                                  const std::vector<std::string>& names) const {
  if (contains(names, value)) return;
  refuse(key, fmt::format("names an unknown {} {}{}; known: {}", kind, toml_quoted(value),
                          suggestion(value, names), joined(names)));
}

SettingValue Section::value(const SettingSpec& spec) {
  const auto read = [&]() -> SettingValue {
    if (std::holds_alternative<std::int64_t>(spec.initial)) return integer(spec);
    if (std::holds_alternative<double>(spec.initial)) return real(spec);
    if (std::holds_alternative<bool>(spec.initial)) return flag(spec);
    return text(spec);
  };
  SettingValue value = read();
  write(spec.name, toml_text(value),
        spec.has_default ? std::optional(toml_text(spec.initial)) : std::nullopt);
  return value;
}

TableValues Section::read(const Table& table) {
  TableValues values;
  if (table.part) values.part = part(*table.part);
  for (const Key& key : table.keys) {
    if (const auto* spec = std::get_if<SettingSpec>(&key)) {
      values.set(spec->name, value(*spec));
    } else {
      const auto& part = std::get<PartKey>(key);
      values.parts[part.name] = parts(part);
    }
  }
  finish();
  return values;
}

void Section::keep(std::string_view key, const toml::node& node) {
  keys_.emplace_back(key);
  lines_.push_back({toml_key(key), toml_text(node), place_of(key)});
  unknown_.push_back(fmt::format("{} = {}", path_of(toml_key(key)), toml_text(node)));
}

/// One that this program does not have, with all that stands in its table. Settings that are no numbers or
/// texts are in lines() alone.
training::PartSpec Section::unknown_part(const PartKind& kind, const std::string& name) {
  training::PartSpec spec{name, {}};
  keep(kind.selector, *values_->get(kind.selector));
  for (const auto& [key, node] : *values_) {
    if (key == kind.selector) continue;
    if (document_->is_overridden(path_of(key.str())))
      refuse(key.str(),
             fmt::format("is overridden, but {} {} is not known here", kind.kind, toml_quoted(name)));
    keep(key.str(), node);
    const std::string setting(key.str());
    if (const auto* integer = node.as_integer()) spec.settings.set(setting, integer->get());
    if (const auto* real = node.as_floating_point()) spec.settings.set(setting, real->get());
    if (const auto* text = node.as_string()) spec.settings.set(setting, text->get());
  }
  return spec;
}

/// The name that the selector has; throws where there is none.
std::string Section::selected(const PartKind& kind) {
  const std::vector<std::string> names = names_of(kind);
  std::string name = text({.name = kind.selector, .help = "", .initial = "", .has_default = false});
  if (!missing_.empty()) throw InputError(missing_ + ", one of " + joined(names));
  refuse_unless_known(kind.selector, kind.kind, name, names);
  write(kind.selector, toml_quoted(name));
  return name;
}

training::PartSpec Section::part(const PartKind& kind) {
  if (values_ != nullptr && document_->keeps_part(path_of(kind.selector))) {
    const auto name = (*values_)[kind.selector].value<std::string>();
    if (name && !contains(names_of(kind), *name)) return unknown_part(kind, *name);
  }
  training::PartSpec spec{selected(kind), {}};
  const PartOption& chosen = *std::ranges::find(kind.options, spec.name, &PartOption::name);
  forget_settings_of_others(kind, chosen);
  for (const SettingSpec& each : chosen.settings) spec.settings.set(each.name, value(each));
  return spec;
}

training::PartSpec Section::inner_part(const PartKind& kind, const toml::node& node, const std::string& path,
                                       const std::string& expected, std::string& text) {
  const std::string place = document_->place(path, node.source());
  if (!node.is_table()) throw InputError("{}: {} must be {}, got {}", place, path, expected, named(node));
  Section inner(*document_, node.as_table(), path, place);
  training::PartSpec spec = inner.part(kind);
  inner.finish();
  std::vector<std::string> lines;
  for (const Line& line : inner.lines()) lines.push_back(line.text());
  text += fmt::format("{{ {} }}", joined(lines));
  unknown_.insert(unknown_.end(), inner.unknown_.begin(), inner.unknown_.end());
  return spec;
}

std::vector<training::PartSpec> Section::parts(const PartKey& key) {
  const toml::node* node = find(key.name);
  const PartOption& first = key.kind.options.front();
  const std::string example = fmt::format("{{ {} = {} }}", key.kind.selector, toml_quoted(first.name));
  const std::string expected =
      fmt::format("a table such as {}{}", example, key.takes_several ? ", or an array of such tables" : "");
  const std::optional<std::string> initial = key.has_default ? std::optional(example) : std::nullopt;
  if (node == nullptr) {
    if (!key.has_default) {
      miss(key.name, expected);
      return {training::PartSpec{}};
    }
    write(key.name, example, initial);
    return {{first.name, defaults(first.settings)}};
  }
  std::string text;
  const toml::array* array = key.takes_several ? node->as_array() : nullptr;
  if (array == nullptr) {
    std::vector<training::PartSpec> one{inner_part(key.kind, *node, path_of(key.name), expected, text)};
    write(key.name, text, initial);
    return one;
  }
  if (array->empty()) refuse(key.name, "must not be empty");
  std::vector<training::PartSpec> specs;
  for (const toml::node& entry : *array) {
    text += specs.empty() ? "" : ", ";
    const std::string path = fmt::format("{}.{}", path_of(key.name), specs.size() + 1);
    specs.push_back(inner_part(key.kind, entry, path, "a table", text));
  }
  write(key.name, "[" + text + "]", initial);
  return specs;
}

// --set phases.1.balance.rule=none leaves the margin of the file's rule behind: that is no mistake. Nor does
// --set data.name=fashion_mnist mean the path of the digits: a text that has another default is left behind
// too.
void Section::forget_settings_of_others(const PartKind& kind, const PartOption& chosen) {
  if (!document_->is_overridden(path_of(kind.selector))) return;
  for (const PartOption& other : kind.options) {
    for (const SettingSpec& spec : other.settings) {
      if (document_->is_overridden(path_of(spec.name))) continue;
      const bool is_replaced = document_->replaced(path_of(kind.selector)) == other.name;
      if (!has_setting(chosen, spec.name) || (is_replaced && has_other_text(chosen, spec)))
        forgotten_.push_back(spec.name);
    }
  }
}

Section Section::table(std::string_view key) {
  const toml::node* node = find(key);
  if (node == nullptr) return {*document_, nullptr, path_of(key), place_};
  if (!node->is_table()) wrong_type(key, "a table", *node);
  return {*document_, node->as_table(), path_of(key), document_->place(path_of(key), node->source())};
}

std::vector<Section> Section::tables(std::string_view key) {
  const toml::node* node = find(key);
  if (node == nullptr) throw InputError("{}: at least one [[{}]] is needed", place_, path_of(key));
  const toml::array* array = node->as_array();
  if (array == nullptr) wrong_type(key, fmt::format("an array of tables, [[{}]]", key), *node);
  if (array->empty()) refuse(key, fmt::format("needs at least one table, [[{}]]", key));
  std::vector<Section> sections;
  for (const toml::node& entry : *array) {
    const std::string path = fmt::format("{}.{}", path_of(key), sections.size() + 1);
    const std::string place = document_->place(path, entry.source());
    if (!entry.is_table()) throw InputError("{}: {} must be a table, got {}", place, path, named(entry));
    sections.push_back({*document_, entry.as_table(), path, place});
  }
  return sections;
}

void Section::allow(const std::vector<std::string>& keys) {
  if (values_ == nullptr) return;
  for (const auto& [key, node] : *values_) {
    if (contains(keys, key.str()) || contains(forgotten_, key.str())) continue;
    if (document_->keeps_key(path_of(key.str()))) {
      keep(key.str(), node);
      continue;
    }
    throw InputError("{}: unknown key {}{}; allowed: {}", document_->place(path_of(key.str()), key.source()),
                     path_of(key.str()), suggestion(key.str(), keys), joined(keys));
  }
}

void Section::finish() {
  allow(std::vector<std::string>(keys_));
  if (!missing_.empty()) throw InputError(missing_);
}

}  // namespace dmoe::config
