#include "config/part_kind.hpp"

#include <variant>

#include "balance/rule.hpp"
#include "config/document.hpp"
#include "data/registry.hpp"
#include "model/network_spec.hpp"
#include "model/routing.hpp"
#include "training/schedule.hpp"

namespace dmoe::config {

PartKind dataset_kind() {
  return part_kind(data::datasets(), "name");
}
/// A kind has the keys that it needs: a single expert is not counted, a layer without a gate has no
/// gate_hidden.
PartKind layer_kind() {
  constexpr double most_experts = 65'536;
  constexpr double most_units = 1e6;  // far beyond use; sizes stay inside 64 bits
  const auto key = [](std::string name, std::string help, std::int64_t example, double most) {
    return SettingSpec{.name = std::move(name),
                       .help = std::move(help),
                       .initial = example,
                       .minimum = 1,
                       .maximum = most,
                       .has_default = false};
  };
  PartKind result{"layer kind", "kind", {}};
  for (const std::string& name : model::layer_kind_names()) {
    const model::LayerSpec layer{.kind = model::layer_kind_named(name)};
    PartOption option{name, model::layer_kind_help(layer.kind), {}};
    if (layer.is_sharded()) option.settings.push_back(key("experts", "how many", 4, most_experts));
    option.settings.push_back(key("hidden", "units of one expert", 100, most_units));
    if (layer.is_gated())
      option.settings.push_back(key("gate_hidden", "hidden units of the gate", 50, most_units));
    result.options.push_back(std::move(option));
  }
  return result;
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
  if (const auto* flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
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
