#include "config/section.hpp"

#include <algorithm>
#include <cmath>
#include <regex>
#include <utility>

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

/// Seconds of "90s", "55m", "1h30m"; nothing of any other text.
std::optional<double> seconds_of(const std::string& text) {
  static const std::regex form(R"((?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,6})s)?)");
  std::smatch parts;
  if (text.empty() || !std::regex_match(text, parts, form)) return std::nullopt;
  const auto number = [&](std::size_t i) { return parts[i].matched ? std::stod(parts[i].str()) : 0; };
  const double seconds = 3600 * number(1) + 60 * number(2) + number(3);
  return seconds > 0 ? std::optional<double>(seconds) : std::nullopt;
}

/// Levenshtein's distance: insertions, deletions and replacements that turn one word into the other.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row;
  for (std::size_t j = 0; j <= b.size(); ++j) row.push_back(j);
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i + 1);
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = std::exchange(row[j + 1], std::min({replaced, row[j] + 1, row[j + 1] + 1}));
    }
  }
  return row.back();
}

/// " (did you mean hidden?)", or nothing where no word is near.
std::string suggestion(std::string_view word, const std::vector<std::string>& known) {
  std::string_view nearest;
  std::size_t least = std::max<std::size_t>(2, word.size() / 3) + 1;
  for (const std::string& one : known) {
    const std::size_t steps = distance(word, one);
    if (steps < least && steps < one.size()) {
      least = steps;
      nearest = one;
    }
  }
  return nearest.empty() ? "" : fmt::format(" (did you mean {}?)", nearest);
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

/// Of an integer setting, whose limits are declared as numbers.
Limits<Index> integer_limits(const SettingSpec& spec) {
  Limits<Index> limits;
  if (spec.minimum > -9e18) limits.minimum = static_cast<Index>(spec.minimum);
  if (spec.maximum < 9e18) limits.maximum = static_cast<Index>(spec.maximum);
  return limits;
}

}  // namespace

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

void Section::write(std::string_view key, const SettingValue& value) {
  lines_.push_back(fmt::format("{} = {}", key, toml_text(value)));
}

Index Section::integer(std::string_view key, Limits<Index> limits, std::optional<Index> initial) {
  Index value = initial.value_or(limits.minimum);
  if (const toml::node* node = find(key)) {
    if (!node->is_integer()) wrong_type(key, "an integer", *node);
    value = node->as_integer()->get();
  } else if (!initial) {
    miss(key, "an integer");
  }
  if (value < limits.minimum) refuse(key, fmt::format("must be at least {}, got {}", limits.minimum, value));
  if (value > limits.maximum) refuse(key, fmt::format("must be at most {}, got {}", limits.maximum, value));
  write(key, value);
  return value;
}

double Section::real(std::string_view key, Limits<double> limits, std::optional<double> initial) {
  double value = initial.value_or(limits.minimum);
  if (const toml::node* node = find(key)) {
    if (!node->is_number()) wrong_type(key, "a number", *node);
    value = *node->value<double>();
  } else if (!initial) {
    miss(key, "a number");
  }
  if (!std::isfinite(value)) refuse(key, fmt::format("must be a finite number, got {}", value));
  const auto out_of_range = [&](std::string_view side, double limit) {
    refuse(key, fmt::format("must be at {} {}, got {}", side, toml_text(limit), toml_text(value)));
  };
  if (value < limits.minimum) out_of_range("least", limits.minimum);
  if (value > limits.maximum) out_of_range("most", limits.maximum);
  write(key, value);
  return value;
}

std::string Section::text(std::string_view key, const std::optional<std::string>& initial) {
  const toml::node* node = find(key);
  std::string value = initial.value_or("");
  if (node != nullptr && node->is_string()) {
    value = node->as_string()->get();
  } else if (const auto typed = document_->typed(path_of(key))) {
    value = *typed;  // --set data.path=2024
  } else if (node != nullptr) {
    wrong_type(key, "a string", *node);
  } else if (!initial) {
    miss(key, "a string");
  }
  write(key, value);
  return value;
}

bool Section::flag(std::string_view key, bool initial) {
  const toml::node* node = find(key);
  if (node != nullptr && !node->is_boolean()) wrong_type(key, "true or false", *node);
  const bool value = node == nullptr ? initial : node->as_boolean()->get();
  lines_.push_back(fmt::format("{} = {}", key, value));
  return value;
}

std::optional<double> Section::duration(std::string_view key, const std::string& initial) {
  const std::string value = text(key, initial);
  if (value == "never") return std::nullopt;
  const std::optional<double> seconds = seconds_of(value);
  if (!seconds) {
    refuse(key, fmt::format(R"(must be a time such as "90s", "55m" or "1h30m", or "never", got {})",
                            toml_quoted(value)));
  }
  return seconds;
}

std::string Section::choice(std::string_view key, std::string_view kind,
                            const std::vector<std::string>& names, bool has_default) {
  std::string value = has_default ? text(key, names.front()) : text(key);
  const bool is_given = values_ != nullptr && values_->contains(key);
  if (is_given && !contains(names, value)) {
    refuse(key, fmt::format("names an unknown {} {}{}; known: {}", kind, toml_quoted(value),
                            suggestion(value, names), joined(names)));
  }
  return value;
}

SettingValue Section::setting(const SettingSpec& spec) {
  if (const auto* initial = std::get_if<std::int64_t>(&spec.initial)) {
    return integer(spec.name, integer_limits(spec), *initial);
  }
  if (const auto* initial = std::get_if<double>(&spec.initial)) {
    return real(spec.name, {spec.minimum, spec.maximum}, *initial);
  }
  if (!spec.names.empty()) return choice(spec.name, spec.name, spec.names, true);
  return text(spec.name, std::get<std::string>(spec.initial));
}

void Section::keep(std::string_view key, const toml::node& node) {
  keys_.emplace_back(key);
  lines_.push_back(fmt::format("{} = {}", toml_key(key), toml_text(node)));
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

training::PartSpec Section::part(const PartKind& kind) {
  training::PartSpec spec;
  if (values_ != nullptr && document_->keeps_part(path_of(kind.selector))) {
    const auto name = (*values_)[kind.selector].value<std::string>();
    if (name && !contains(names_of(kind), *name)) return unknown_part(kind, *name);
  }
  spec.name = choice(kind.selector, kind.kind, names_of(kind), false);
  if (!missing_.empty()) throw InputError(missing_ + ", one of " + joined(names_of(kind)));
  const PartOption& chosen =
      *std::find_if(kind.options.begin(), kind.options.end(),
                    [&](const PartOption& option) { return option.name == spec.name; });
  forget_settings_of_others(kind, chosen);
  for (const SettingSpec& each : chosen.settings) spec.settings.set(each.name, setting(each));
  return spec;
}

training::PartSpec Section::part(std::string_view key, const PartKind& kind) {
  const std::string expected =
      fmt::format("a table such as {{ {} = {} }}", kind.selector, toml_quoted(kind.options.front().name));
  const toml::node* node = find(key);
  if (node == nullptr) {
    miss(key, expected);
    return {};
  }
  std::string text;
  training::PartSpec spec = inner_part(kind, *node, path_of(key), expected, text);
  lines_.push_back(fmt::format("{} = {}", key, text));
  return spec;
}

training::PartSpec Section::inner_part(const PartKind& kind, const toml::node& node, const std::string& path,
                                       const std::string& expected, std::string& text) {
  const std::string place = document_->place(path, node.source());
  if (!node.is_table()) throw InputError("{}: {} must be {}, got {}", place, path, expected, named(node));
  Section inner(*document_, node.as_table(), path, place);
  training::PartSpec spec = inner.part(kind);
  inner.finish();
  text += fmt::format("{{ {} }}", joined(inner.lines()));
  unknown_.insert(unknown_.end(), inner.unknown_.begin(), inner.unknown_.end());
  return spec;
}

std::vector<training::PartSpec> Section::parts(std::string_view key, const PartKind& kind) {
  const toml::node* node = find(key);
  const std::string& first = kind.options.front().name;
  const std::string expected = fmt::format("a table such as {{ {} = {} }}, or an array of such tables",
                                           kind.selector, toml_quoted(first));
  if (node == nullptr) {
    lines_.push_back(fmt::format("{} = {{ {} = {} }}", key, kind.selector, toml_quoted(first)));
    return {{first, defaults(kind.options.front().settings)}};
  }
  std::string text;
  const toml::array* array = node->as_array();
  if (array == nullptr) {
    std::vector<training::PartSpec> one{inner_part(kind, *node, path_of(key), expected, text)};
    lines_.push_back(fmt::format("{} = {}", key, text));
    return one;
  }
  if (array->empty()) refuse(key, "must not be empty");
  std::vector<training::PartSpec> specs;
  for (const toml::node& entry : *array) {
    text += specs.empty() ? "" : ", ";
    specs.push_back(
        inner_part(kind, entry, fmt::format("{}[{}]", path_of(key), specs.size() + 1), "a table", text));
  }
  lines_.push_back(fmt::format("{} = [{}]", key, text));
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
    const std::string path = fmt::format("{}[{}]", path_of(key), sections.size() + 1);
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
