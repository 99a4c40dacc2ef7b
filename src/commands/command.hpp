// The commands of the program: a new one is a file pair and one line in the table of commands.cpp.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "comm/session.hpp"
#include "comm/together.hpp"
#include "core/exit_status.hpp"

namespace CLI {
class App;
}

namespace dmoe::commands {

/// What a command finds when it runs.
struct Job {
  const comm::Session& session;
  std::string command_line;  // as it may be pasted
  std::string program;       // its name in there

  const comm::Communicator& world() const { return session.world(); }
};

/// Runs on all ranks. Throws on all ranks, or on one that fails alone. Collective.
using Action = std::function<ExitStatus(const Job&)>;

struct Command {
  std::string name;
  std::string help;  // one line
  /// Declares the options on the command's parser and returns what runs with their values.
  std::function<Action(CLI::App&)> declare;
};

/// Local.
const std::vector<Command>& commands();

}  // namespace dmoe::commands
