// What can be chosen by name in a config: the entries of a registry, without what makes them.
#pragma once

#include <string>
#include <vector>

#include "core/registry.hpp"
#include "core/settings.hpp"

namespace dmoe::config {

struct PartOption {
  std::string name;
  std::string help;
  std::vector<SettingSpec> settings;
};

/// One registry as the schema sees it.
struct PartKind {
  std::string kind;      // "balancing rule"
  std::string selector;  // the config key that chooses: "rule"
  std::vector<PartOption> options;
};

/// Local.
template <class Part, class... Context>
PartKind part_kind(const Registry<Part, Context...>& registry, std::string selector) {
  PartKind result{registry.kind(), std::move(selector), {}};
  for (const auto& entry : registry.entries())
    result.options.push_back({entry.name, entry.help, entry.settings});
  return result;
}

/// The data sets, kinds of layers, balancing rules, routings and schedules of this program. Local.
PartKind dataset_kind();
PartKind layer_kind();
PartKind rule_kind();
PartKind routing_kind();
PartKind schedule_kind();

/// Each option with its settings, their meaning and defaults, as --help shows them. Local.
std::string described(const PartKind& kind);

/// A setting as TOML writes it; floats in the fewest digits that read back to the same bits. Local.
std::string toml_text(const SettingValue& value);

}  // namespace dmoe::config
