// Declared settings: of a table of the config (config/schema.cpp) or of a pluggable part (a rule, a schedule,
// a data set), whose registry entry lists what can be set. The config reader checks values against the list,
// and everything that is said of a key is made of it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "core/error.hpp"

namespace dmoe {

using SettingValue = std::variant<std::int64_t, double, std::string, bool>;

/// Whether a run that goes on may have another value than before.
enum class OnResume { never, freely };

/// What a text must look like: anything, a time such as "90s", "55m", "1h30m" or "never", or a number, from 1
/// on, or "auto".
enum class TextForm { any, duration, count };

/// One setting: its type is that of `initial`.
struct SettingSpec {
  std::string name;
  std::string help;      // one line
  SettingValue initial;  // the default; where there is none, what an example has
  double minimum = -std::numeric_limits<double>::infinity();  // numbers only, inclusive
  double maximum = std::numeric_limits<double>::infinity();
  std::vector<std::string> names{};  // texts only: those that are allowed, the default first; none: any
  std::string unit{};                // "examples"; of a mere number empty
  bool has_default = true;
  bool is_below_maximum = false;  // the maximum itself is not allowed
  TextForm form = TextForm::any;
  OnResume on_resume = OnResume::never;
  std::string since = "0.1";  // the version that had it first
};

/// A value inside its declared range that cannot serve: the part found out when it was made. The message
/// begins with the setting's name; who knows where the value was set puts that in front.
class SettingError : public InputError {
 public:
  template <class... Values>
  SettingError(std::string setting, fmt::format_string<Values...> text, Values&&... values)
      : InputError("{} {}", setting, fmt::format(text, std::forward<Values>(values)...)),
        setting_(std::move(setting)) {}
  const std::string& setting() const { return setting_; }

 private:
  std::string setting_;
};

/// Checked values, one for every SettingSpec of the part, in its order.
class Settings {
 public:
  /// Adds a value, or replaces it.
  void set(const std::string& name, SettingValue value) {
    for (auto& [key, known] : values_) {
      if (key == name) return void(known = std::move(value));
    }
    values_.emplace_back(name, std::move(value));
  }
  bool has(std::string_view name) const {
    return std::ranges::any_of(values_, [name](const auto& value) { return value.first == name; });
  }
  std::int64_t integer(std::string_view name) const { return std::get<std::int64_t>(at(name)); }
  double real(std::string_view name) const { return std::get<double>(at(name)); }
  const std::string& text(std::string_view name) const { return std::get<std::string>(at(name)); }
  bool flag(std::string_view name) const { return std::get<bool>(at(name)); }
  const std::vector<std::pair<std::string, SettingValue>>& values() const { return values_; }
  bool operator==(const Settings&) const = default;

 private:
  const SettingValue& at(std::string_view name) const {
    for (const auto& [key, value] : values_) {
      if (key == name) return value;
    }
    throw InputError("setting '{}' was not declared by the part that reads it", name);
  }
  std::vector<std::pair<std::string, SettingValue>> values_;
};

/// The defaults of a list of settings. Local.
inline Settings defaults(const std::vector<SettingSpec>& specs) {
  Settings settings;
  for (const SettingSpec& spec : specs) settings.set(spec.name, spec.initial);
  return settings;
}

}  // namespace dmoe
