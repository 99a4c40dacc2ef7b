#include "app/command_reference.hpp"

#include <algorithm>
#include <cctype>
#include <iterator>

#include <CLI/CLI.hpp>

#include "commands/named_option.hpp"

namespace dmoe::app {

namespace {

std::vector<std::string> alternatives(const std::string& value) {
  std::vector<std::string> found(1);
  for (const char letter : value) {
    if (letter == '|')
      found.emplace_back();
    else
      found.back() += letter;
  }
  return found;
}

/// "toml" of "CONFIG.toml"; of "FILE..." and "RUN" none.
std::string suffix_of(const std::string& alternative) {
  const std::size_t dot = alternative.rfind('.');
  const std::string suffix = dot == std::string::npos ? "" : alternative.substr(dot + 1);
  const bool is_word =
      std::all_of(suffix.begin(), suffix.end(), [](unsigned char letter) { return std::isalnum(letter); });
  return is_word ? suffix : "";
}

/// By CLI11's name of the type: "TEXT", or "INT in [1 - 5]" with a range.
ValueKind kind_of(const CLI::Option& option) {
  if (option.get_items_expected_max() == 0) return ValueKind::none;
  const std::string type = option.get_type_name();
  if (type == commands::choice_type) return ValueKind::choice;
  for (const char* number : {"INT", "UINT", "FLOAT"})
    if (type.starts_with(number)) return ValueKind::number;
  return ValueKind::path;
}

OptionReference option_reference(const CLI::Option& option, const CLI::Formatter& formatter) {
  OptionReference reference;
  for (const std::string& name : option.get_snames()) reference.names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) reference.names.push_back("--" + name);
  reference.value = option.get_option_text();
  reference.kind = kind_of(option);
  reference.help = formatter.make_option_desc(&option);
  reference.is_required = option.get_required();
  if (reference.kind == ValueKind::choice) reference.choices = alternatives(reference.value);
  if (reference.kind == ValueKind::path) {
    for (const std::string& alternative : alternatives(reference.value))
      if (const std::string suffix = suffix_of(alternative); !suffix.empty())
        reference.suffixes.push_back(suffix);
  }
  return reference;
}

}  // namespace

std::vector<OptionReference> own_options(const CommandReference& subcommand) {
  std::vector<OptionReference> own;
  std::ranges::copy_if(subcommand.options, std::back_inserter(own), [](const OptionReference& option) {
    return std::ranges::count(option.names, "--help") == 0;
  });
  return own;
}

CommandReference command_reference(const CLI::App& parser) {
  CommandReference reference{parser.get_name(), parser.get_description(), {}, {}, parser.get_footer()};
  const CLI::Formatter formatter;
  for (const CLI::Option* option : parser.get_options())
    if (!option->get_group().empty()) reference.options.push_back(option_reference(*option, formatter));
  std::stable_partition(reference.options.begin(), reference.options.end(),
                        [](const OptionReference& option) { return option.is_positional(); });
  for (const CLI::App* command :
       parser.get_subcommands([](const CLI::App* one) { return !one->get_group().empty(); }))
    reference.subcommands.push_back(command_reference(*command));
  return reference;
}

}  // namespace dmoe::app
