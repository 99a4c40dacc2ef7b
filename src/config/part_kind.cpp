#include "config/part_kind.hpp"

#include <variant>

#include "balance/rule.hpp"
#include "config/document.hpp"
#include "data/registry.hpp"
#include "model/routing.hpp"
#include "training/schedule.hpp"

namespace dmoe::config {

PartKind dataset_kind() {
  return part_kind(data::datasets(), "name");
}
PartKind rule_kind() {
  return part_kind(balance::rules(), "rule");
}
PartKind routing_kind() {
  return part_kind(model::routings(), "rule");
}
PartKind schedule_kind() {
  return part_kind(training::schedules(), "schedule");
}

std::string toml_text(const SettingValue& value) {
  if (const auto* integer = std::get_if<std::int64_t>(&value)) return fmt::format("{}", *integer);
  if (const auto* text = std::get_if<std::string>(&value)) return toml_quoted(*text);
  std::string digits = fmt::format("{}", std::get<double>(value));
  return digits.find_first_of(".e") == std::string::npos ? digits + ".0" : digits;
}

std::string described(const PartKind& kind) {
  std::string text;
  for (const PartOption& option : kind.options) {
    text += fmt::format("  {} = {}  {}\n", kind.selector, toml_quoted(option.name), option.help);
    for (const SettingSpec& setting : option.settings) {
      text += fmt::format("      {:<32}{}\n",
                          fmt::format("{} = {}", setting.name, toml_text(setting.initial)), setting.help);
    }
  }
  return text;
}

}  // namespace dmoe::config
