// Command-line options whose value is one of a few names.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>

#include "config/document.hpp"

namespace dmoe::commands {

template <class T>
using Names = std::vector<std::pair<std::string, T>>;

/// What CLI11 calls the type of such an option: its text is the names, "auto|line|log|none".
inline constexpr const char* choice_type = "CHOICE";

/// Declares an option that puts the value of the name typed into `value`, which the parser must not outlive.
/// Local.
template <class T>
CLI::Option* add_named_option(CLI::App& parser, const std::string& option, T& value, const Names<T>& names,
                              const std::string& help) {
  std::string choices;
  std::vector<std::string> known;
  for (const auto& [name, unused] : names) {
    choices += (choices.empty() ? "" : "|") + name;
    known.push_back(name);
  }
  const auto choose = [option, &value, names, known](const std::string& word) {
    for (const auto& [name, named] : names) {
      if (name == word) {
        value = named;
        return;
      }
    }
    throw CLI::ValidationError(option + " must be one of " + config::joined(known) + ", got " +
                               config::toml_quoted(word));
  };
  return parser.add_option_function<std::string>(option, choose, help)
      ->type_name(choice_type)
      ->option_text(choices);
}

}  // namespace dmoe::commands
