#include "app/command_line.hpp"

#include <map>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "app/command_reference.hpp"
#include "app/completion.hpp"
#include "app/man_page.hpp"
#include "comm/mpi_library.hpp"
#include "core/version.hpp"

namespace dmoe::app {

namespace {

std::string version_text() {
  const BuildInfo& build = build_info();
  return fmt::format("dmoe {} (commit {}, {}, {}, {}, {})", build.version, build.git_commit, build.compiler,
                     build.build_type, build.arch.empty() ? "compiler's own -march" : build.arch,
                     comm::built_with());
}

Request usage_error(const CLI::App& parser, const CLI::ParseError& error) {
  std::string path = "dmoe";
  for (const CLI::App* sub : parser.get_subcommands()) path += " " + sub->get_name();
  return {{}, fmt::format("dmoe: {}\nsee {} --help\n", error.what(), path), Status::refused};
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
  std::map<const CLI::App*, Action> actions;
  for (const Command& command : commands()) {
    CLI::App* sub = parser.add_subcommand(command.name, command.help);
    actions[sub] = command.declare(*sub);
  }
  try {
    parser.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    return {{}, parser.help(), Status::done};
  } catch (const CLI::CallForVersion&) {
    return {{}, version_text() + "\n", Status::done};
  } catch (const CLI::ParseError& error) {
    return usage_error(parser, error);
  }
  if (man->count() > 0)
    return {{}, man_page(command_reference(parser), std::string(build_info().version)), Status::done};
  if (completion->count() > 0) return {{}, bash_completion(command_reference(parser)), Status::done};
  if (parser.get_subcommands().empty())
    return {{}, "dmoe: no command given\n\n" + parser.help(), Status::refused};
  return {actions.at(parser.get_subcommands().front()), "", Status::done};
}

}  // namespace dmoe::app
