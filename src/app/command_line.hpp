// From argv to what there is to do. No MPI is needed to ask for help or to mistype.
#pragma once

#include <string>

#include "commands/command.hpp"
#include "core/exit_status.hpp"

namespace dmoe::app {

/// Either an action, or a text to print and leave.
struct Request {
  commands::Action action;
  std::string text;                      // help, version, or what is wrong with the command line
  ExitStatus status = ExitStatus::done;  // refused for bad usage
};

/// Local.
Request parse_command_line(int argc, const char* const* argv);

}  // namespace dmoe::app
