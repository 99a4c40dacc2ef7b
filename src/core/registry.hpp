// An explicit table of the parts of one kind: {name, help, settings, make}. Each kind has one table, in one
// file (balance/registry.cpp, training/schedule.cpp, data/registry.cpp); nothing registers itself.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "core/settings.hpp"

namespace dmoe {

template <class Part, class... Context>
class Registry {
 public:
  struct Entry {
    std::string name;
    std::string help;  // one line
    std::vector<SettingSpec> settings;
    std::function<std::unique_ptr<Part>(const Settings&, Context...)> make;
  };

  Registry(std::string kind, std::vector<Entry> entries)
      : kind_(std::move(kind)), entries_(std::move(entries)) {}

  /// Adds a part, or throws InputError where the name is taken. For programs built on dmoe. Local.
  void add(Entry entry) {
    for (const Entry& known : entries_) {
      if (known.name == entry.name) throw InputError("{} '{}' exists already", kind_, entry.name);
    }
    entries_.push_back(std::move(entry));
  }

  /// The entry of that name; InputError lists the known ones. Local.
  const Entry& find(std::string_view name) const {
    for (const Entry& entry : entries_) {
      if (entry.name == name) return entry;
    }
    throw InputError("unknown {} '{}'; known: {}", kind_, name, names());
  }

  /// "margin, none". Local.
  std::string names() const {
    std::string list;
    for (const Entry& entry : entries_) list += (list.empty() ? "" : ", ") + entry.name;
    return list;
  }
  const std::string& kind() const { return kind_; }
  const std::vector<Entry>& entries() const { return entries_; }

 private:
  std::string kind_;
  std::vector<Entry> entries_;
};

}  // namespace dmoe
