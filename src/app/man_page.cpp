#include "app/man_page.hpp"

#include <fmt/format.h>

namespace dmoe::app {

namespace {

/// Text that groff prints as it stands, in one line or several.
std::string escaped(const std::string& text) {
  std::string result;
  bool begins_line = true;
  for (const char letter : text) {
    if (begins_line && (letter == '.' || letter == '\'')) result += "\\&";
    begins_line = letter == '\n';
    switch (letter) {
      case '\\':
        result += "\\e";
        break;
      case '-':
        result += "\\-";
        break;
      case '^':
        result += "\\(ha";
        break;
      case '~':
        result += "\\(ti";
        break;
      case '`':
        result += "\\(ga";
        break;
      case '\'':
        result += "\\(aq";
        break;
      default:
        result += letter;
    }
  }
  return result;
}

std::string bold(const std::string& text) {
  return "\\fB" + escaped(text) + "\\fR";
}
std::string italic(const std::string& text) {
  return "\\fI" + escaped(text) + "\\fR";
}

std::string with_value(const std::string& names, const OptionReference& option) {
  if (option.value.empty()) return names;
  const bool is_literal = option.kind == ValueKind::choice;
  return names + (names.empty() ? "" : " ") + (is_literal ? bold(option.value) : italic(option.value));
}

std::string all_names(const OptionReference& option) {
  std::string names;
  for (const std::string& name : option.names) names += (names.empty() ? "" : ", ") + bold(name);
  return with_value(names, option);
}

/// What must be typed, and that more may be: "dmoe train CONFIG.toml --output RUN [OPTION...]".
std::string synopsis(const std::string& path, const CommandReference& command) {
  std::string line = bold(path);
  if (!command.subcommands.empty()) line += " " + italic("MEASUREMENT") + "...";
  for (const OptionReference& option : command.options) {
    if (option.is_positional() || option.is_required)
      line += " " + with_value(option.is_positional() ? "" : bold(option.names.back()), option);
  }
  return line + " [" + italic("OPTION") + "...]";
}

std::string paragraph(const std::string& term, const std::string& text) {
  return fmt::format(".TP\n{}\n{}\n", term, escaped(text));
}

/// Lines that keep their breaks and columns.
std::string verbatim(const std::string& text) {
  return fmt::format(".PP\n.nf\n{}\n.fi\n", escaped(text));
}

/// A subcommand, and below it the options that it has for itself.
std::string subcommand(const CommandReference& command) {
  std::string term = bold(command.name);
  std::string options;
  for (const OptionReference& option : own_options(command)) {
    if (option.is_positional())
      term += " " + with_value("", option);
    else
      options += paragraph(all_names(option), option.help);
  }
  const std::string text = paragraph(term, command.help);
  return options.empty() ? text : text + ".RS\n" + options + ".RE\n";
}

std::string section(const std::string& path, const CommandReference& command) {
  std::string text =
      fmt::format(".SS {}\n{}.\n.PP\n{}\n", escaped(path), escaped(command.help), synopsis(path, command));
  for (const CommandReference& one : command.subcommands) text += subcommand(one);
  for (const OptionReference& option : command.options)
    text += paragraph(all_names(option), option.help + (option.is_required ? " (required)" : ""));
  if (!command.footer.empty()) text += verbatim(command.footer);
  return text;
}

constexpr const char* closing = R"(.SH EXIT STATUS
.TP
.B 0
done
.TP
.B 1
failed in mid\-run
.TP
.B 2
bad usage, config or data
.TP
.B 75
stopped on request; the checkpoint is written, and \fBdmoe train \-\-resume\fR goes on from it
.SH SEE ALSO
.BR mpirun (1),
.BR srun (1),
.BR sbatch (1)
.PP
\fBdmoe\-fetch\-data\fR, \fBdmoe\-report\fR and \fBdmoe\-submit\fR fetch data sets, make a page of a run, and submit
jobs to SLURM; each has \fB\-\-help\fR.
)";

}  // namespace

std::string man_page(const CommandReference& program, const std::string& version, const std::string& keys) {
  const std::string& name = program.name;
  std::string text =
      fmt::format(".TH {} 1 \"\" \"{} {}\" \"User Commands\"\n.nh\n.ad l\n", "DMOE", name, version);
  text += fmt::format(".SH NAME\n{} \\- trains, evaluates and analyses Deep Mixtures of Experts\n",
                      escaped(name));
  text += ".SH SYNOPSIS\n";
  for (const CommandReference& command : program.subcommands)
    text += synopsis(name + " " + command.name, command) + "\n.br\n";
  text += fmt::format(".SH DESCRIPTION\n{}\n", escaped(program.help));
  text += ".SH OPTIONS\n";
  for (const OptionReference& option : program.options) text += paragraph(all_names(option), option.help);
  text += ".SH COMMANDS\n";
  for (const CommandReference& command : program.subcommands)
    text += section(name + " " + command.name, command);
  text += ".SH CONFIG\n" + verbatim(keys);
  return text + closing;
}

}  // namespace dmoe::app
