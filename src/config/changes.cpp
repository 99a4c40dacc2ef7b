#include "config/changes.hpp"

#include <algorithm>
#include <map>
#include <sstream>

#include <fmt/format.h>
#include <toml++/toml.h>

#include "config/schema.hpp"
#include "core/error.hpp"
#include "training/schedule.hpp"
#include "training/timetable.hpp"

namespace dmoe::config {

namespace {

using Values = std::map<std::string, std::string>;

void flatten(const toml::node& node, const std::string& path, Values& values) {
  if (const toml::table* table = node.as_table()) {
    for (const auto& [key, value] : *table)
      flatten(value, path.empty() ? std::string(key.str()) : fmt::format("{}.{}", path, key.str()), values);
  } else if (const toml::array* array = node.as_array()) {
    for (std::size_t i = 0; i < array->size(); ++i)
      flatten((*array)[i], fmt::format("{}.{}", path, i + 1), values);
  } else {
    std::ostringstream text;
    node.visit([&](const auto& value) {
      if constexpr (toml::is_value<decltype(value)>) text << value;
    });
    values[path] = text.str();
  }
}

Values values_of(const Config& config) {
  Values values;
  flatten(toml::parse(config.text), "", values);
  return values;
}

using training::PhaseSpec;

bool has_same_rates(const PhaseSpec& before, const PhaseSpec& after, Index epochs) {
  const auto schedule = [](const PhaseSpec& phase) {
    return training::schedules().find(phase.schedule.name).make(phase.schedule.settings);
  };
  for (Index e = 0; e < epochs; ++e) {
    if (schedule(before)->rate(e, before.epochs) != schedule(after)->rate(e, after.epochs)) return false;
  }
  return true;
}

/// Why phase p may not become `after`; empty where it may.
std::string refusal_of_phase(const PhaseSpec& before, const PhaseSpec& after, Index p, Index epochs_begun,
                             Index phase_in_force) {
  PhaseSpec of_other_length = before;
  of_other_length.epochs = after.epochs;
  if (after != of_other_length) return fmt::format("phases.{}", p + 1);
  if (after.epochs == before.epochs) return "";
  const std::string change = fmt::format("phases.{}.epochs: {} -> {}", p + 1, before.epochs, after.epochs);
  if (p < phase_in_force) return change + " (the run is past it; add a phase behind)";
  if (after.epochs < epochs_begun) return fmt::format("{} ({} are begun)", change, epochs_begun);
  if (!has_same_rates(before, after, epochs_begun))
    return change + " (learning rates that were used would change; add a phase instead)";
  return "";
}

}  // namespace

std::string Change::text() const {
  if (before.empty()) return fmt::format("{}: now {}", key, after);
  if (after.empty()) return fmt::format("{}: no longer {}", key, before);
  return fmt::format("{}: {} -> {}", key, before, after);
}

std::vector<Change> changes(const Config& before, const Config& after) {
  const Values old_values = values_of(before);
  const Values new_values = values_of(after);
  Values keys = old_values;
  keys.insert(new_values.begin(), new_values.end());
  const auto in = [](const Values& values, const std::string& key) {
    const auto found = values.find(key);
    return found == values.end() ? std::string() : found->second;
  };
  std::vector<Change> changes;
  for (const auto& [key, value] : keys) {
    Change change{key, in(old_values, key), in(new_values, key)};
    if (change.before != change.after) changes.push_back(std::move(change));
  }
  return changes;
}

void check_changes(const Config& before, const Config& after, const training::State& reached,
                   Index steps_per_epoch) {
  std::vector<std::string> refused;
  for (const Change& change : changes(before, after)) {
    if (!may_change_on_resume(change.key, after.data.name) && !may_grow_on_resume(change.key))
      refused.push_back(change.text());
  }
  const auto& old_phases = before.training.phases;
  const auto& new_phases = after.training.phases;
  const training::Timetable timetable(before.training, steps_per_epoch);
  for (std::size_t p = 0; p < old_phases.size(); ++p) {
    if (p >= new_phases.size()) {
      refused.push_back(fmt::format("phases.{} is gone", p + 1));
      continue;
    }
    const Index epochs_done = (reached.step + steps_per_epoch - 1) / steps_per_epoch;  // and begun
    const Index begun = std::clamp(epochs_done - timetable.first_epoch(static_cast<Index>(p)), Index{0},
                                   old_phases[p].epochs);
    const std::string refusal =
        refusal_of_phase(old_phases[p], new_phases[p], static_cast<Index>(p), begun, reached.phase);
    if (!refusal.empty()) refused.push_back(refusal);
  }
  if (refused.empty()) return;
  throw InputError(
      "the config differs from that of the run where it matters: {}; resume with the run's own config, or "
      "start another run in another folder",
      fmt::join(refused, "; "));
}

}  // namespace dmoe::config
