#include "app/command_line.hpp"

#include <algorithm>
#include <map>
#include <utility>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "app/command_reference.hpp"
#include "app/completion.hpp"
#include "app/man_page.hpp"
#include "comm/mpi_library.hpp"
#include "config/reference.hpp"
#include "core/exit_status.hpp"
#include "core/suggestion.hpp"
#include "core/version.hpp"

namespace dmoe::app {

namespace {

std::string version_text() {
  const BuildInfo& build = build_info();
  return fmt::format("dmoe {} (commit {}, {}, {}, {}, {})", build.version, build.git_commit, build.compiler,
                     build.build_type, build.arch.empty() ? "compiler's own -march" : build.arch,
                     comm::built_with());
}

/// A first word that is no command, and no option.
Request unknown_command(const std::string& word) {
  std::vector<std::string> known{"help"};
  for (const commands::Command& command : commands::commands()) known.push_back(command.name);
  return {{},
          fmt::format("dmoe: unknown command {}{}; known: {}\n", word, suggestion(word, known),
                      fmt::join(known, ", ")),
          ExitStatus::refused};
}

bool is_command(const std::string& word) {
  return std::ranges::any_of(commands::commands(),
                             [&](const commands::Command& command) { return command.name == word; });
}

/// "dmoe help train" is "dmoe train --help".
void replace_help(std::vector<std::string>& words) {
  if (words.empty() || words.front() != "help") return;
  words.erase(words.begin());
  words.emplace_back("--help");
}

/// Of the words that a command did not expect, the option that the first one may be.
std::string option_meant(const CLI::App& command) {
  std::vector<std::string> known;
  for (const CLI::Option* option : command.get_options())
    for (const std::string& name : option->get_lnames()) known.push_back("--" + name);
  for (const std::string& word : command.remaining())
    if (word.starts_with("--")) return suggestion(word.substr(0, word.find('=')), known);
  return "";
}

Request usage_error(const CLI::App& parser, const CLI::ParseError& error) {
  std::string path = "dmoe";
  const CLI::App* command = &parser;
  for (const CLI::App* sub : parser.get_subcommands()) {
    path += " " + sub->get_name();
    command = sub;
  }
  const bool is_unexpected = dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr;
  return {{},
          fmt::format("dmoe: {}{}\nsee {} --help\n", error.what(),
                      is_unexpected ? option_meant(*command) : "", path),
          ExitStatus::refused};
}

}  // namespace

Request parse_command_line(int argc, const char* const* argv) {
  CLI::App parser("Trains Deep Mixtures of Experts, sharded over MPI ranks: mpirun -n 4 dmoe train ...",
                  "dmoe");
  parser.set_version_flag("--version", version_text());
  parser.require_subcommand(0, 1);
  parser.get_formatter()->column_width(34);
  // For the build, which installs what they print; hidden from --help.
  const CLI::Option* const man = parser.add_flag("--man-page")->group("");
  const CLI::Option* const completion = parser.add_flag("--bash-completion")->group("");
  std::map<const CLI::App*, commands::Action> actions;
  for (const commands::Command& command : commands::commands()) {
    CLI::App* sub = parser.add_subcommand(command.name, command.help);
    actions[sub] = command.declare(*sub);
  }
  std::vector<std::string> words(argv + std::min(argc, 1), argv + argc);
  replace_help(words);
  if (!words.empty() && !words.front().starts_with("-") && !is_command(words.front()))
    return unknown_command(words.front());
  std::ranges::reverse(words);  // as CLI11 takes them
  try {
    parser.parse(std::move(words));
  } catch (const CLI::CallForHelp&) {
    return {{}, parser.help(), ExitStatus::done};
  } catch (const CLI::CallForVersion&) {
    return {{}, version_text() + "\n", ExitStatus::done};
  } catch (const CLI::ParseError& error) {
    return usage_error(parser, error);
  }
  if (man->count() > 0)
    return {{},
            man_page(command_reference(parser), std::string(build_info().version), config::all_keys_toml()),
            ExitStatus::done};
  if (completion->count() > 0) return {{}, bash_completion(command_reference(parser)), ExitStatus::done};
  if (parser.get_subcommands().empty())
    return {{}, "dmoe: no command given\n\n" + parser.help(), ExitStatus::refused};
  return {actions.at(parser.get_subcommands().front()), "", ExitStatus::done};
}

}  // namespace dmoe::app
