// What the parser knows of commands and options, as plain data: the man page and the completion of shells are
// made of it, so that they say what the program does.
#pragma once

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace dmoe::app {

/// What may follow an option, or stand in the place of a positional argument.
enum class ValueKind { none, choice, number, path };

struct OptionReference {
  std::vector<std::string> names;  // as typed: "-h", "--help"; of a positional argument none
  std::string value;               // "CONFIG.toml", "auto|line|log|none"; of a flag empty
  ValueKind kind = ValueKind::none;
  std::vector<std::string> choices;   // of ValueKind::choice
  std::vector<std::string> suffixes;  // of ValueKind::path where it must end in one: "toml"
  std::string help;
  bool is_required = false;

  bool is_positional() const { return names.empty(); }
};

struct CommandReference {
  std::string name;  // of the program "dmoe", of a command "train"
  std::string help;
  std::vector<OptionReference> options;       // positional arguments first
  std::vector<CommandReference> subcommands;  // of bench what it measures
  std::string footer;
};

/// Those of a subcommand, but --help. Local.
std::vector<OptionReference> own_options(const CommandReference& subcommand);

/// All but what is hidden from --help. Local.
CommandReference command_reference(const CLI::App& parser);

}  // namespace dmoe::app
