#include "app/completion.hpp"

#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace dmoe::app {

namespace {

/// The words that may stand where no option asks for a value: subcommands and options, which are told apart
/// by their first letter.
std::string words_of(const CommandReference& command) {
  std::vector<std::string> words;
  for (const CommandReference& one : command.subcommands) words.push_back(one.name);
  for (const OptionReference& option : command.options)
    words.insert(words.end(), option.names.begin(), option.names.end());
  return fmt::format("{}", fmt::join(words, " "));
}

/// What to do for a value.
std::string completed(const OptionReference& option) {
  switch (option.kind) {
    case ValueKind::choice:
      return fmt::format("words=\"{}\"", fmt::join(option.choices, " "));
    case ValueKind::path:
      return option.suffixes.empty() ? "return"
                                     : fmt::format("suffixes=\"{}\"", fmt::join(option.suffixes, " "));
    case ValueKind::number:
    case ValueKind::none:
      return "words=''";
  }
  return "";
}

/// Branches of `case "$command $option"`.
std::string option_values(const CommandReference& command) {
  std::string text;
  for (const OptionReference& option : command.options) {
    if (option.is_positional() || option.kind == ValueKind::none) continue;
    std::vector<std::string> patterns;
    for (const std::string& name : option.names)
      patterns.push_back(fmt::format("\"{} {}\"", command.name, name));
    text += fmt::format("    {}) {} ;;\n", fmt::join(patterns, " | "), completed(option));
  }
  return text;
}

/// A branch of `case $command`, of the first positional argument.
std::string positional_values(const CommandReference& command) {
  if (command.options.empty() || !command.options.front().is_positional()) return "";
  return fmt::format("        {}) {} ;;\n", command.name, completed(command.options.front()));
}

// 0: the program; 1: its commands and options; branches with 2: words of each command, 3: values of options,
// 4: positional arguments. Where the function returns without an answer, bash completes any file.
constexpr const char* script = R"(# Completion of {0} in bash, written by `{0} --bash-completion`.
_{0}() {{
  local current=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD - 1]}}
  local command='' option='' words suffixes=''
  COMPREPLY=()
  if ((COMP_CWORD > 1)); then command=${{COMP_WORDS[1]}}; fi
  # --option=value is three words here.
  if [[ $current == = ]]; then
    option=$before current=''
  elif [[ $before == = ]]; then
    option=${{COMP_WORDS[COMP_CWORD - 2]}}
  elif [[ $before == -* ]]; then
    option=$before
  fi
  case $command in
    '') words="{1}" ;;
{2}    *) return ;;
  esac
  case "$command $option" in
{3}    *" "[!-]*) return ;; # the value of a key
    *)
      if [[ $current != -* ]]; then case $command in
{4}      esac; fi
      ;;
  esac
  if [[ $suffixes ]]; then
    local suffix
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(
      compgen -d -- "$current"
      for suffix in $suffixes; do compgen -f -X "!*.$suffix" -- "$current"; done
    )
  else
    compopt +o bashdefault +o default 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
  fi
}}
complete -o bashdefault -o default -F _{0} {0}
)";

}  // namespace

std::string bash_completion(const CommandReference& program) {
  std::string words;
  std::string options;
  std::string positionals;
  for (const CommandReference& command : program.subcommands) {
    words += fmt::format("    {}) words=\"{}\" ;;\n", command.name, words_of(command));
    options += option_values(command);
    positionals += positional_values(command);
  }
  return fmt::format(script, program.name, words_of(program), words, options, positionals);
}

}  // namespace dmoe::app
