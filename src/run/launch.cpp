#include "run/launch.hpp"

#include <algorithm>
#include <array>
#include <unistd.h>

#include <fmt/format.h>

#include "numerics/architecture.hpp"

namespace dmoe::run {

namespace {

std::string host_name() {
  std::array<char, 256> name{};
  gethostname(name.data(), name.size() - 1);
  return name.data();
}

}  // namespace

io::Launch launch_of(const comm::Session& session, const std::string& command_line, Index threads) {
  io::Launch launch;
  launch.command_line = command_line;
  launch.hosts = session.world().gather(host_name());
  launch.mpi_library = session.library();
  launch.ranks = session.world().size();
  launch.threads = threads;
  launch.cpu = numerics::cpu_name();
  launch.instruction_set = numerics::instruction_set();
  return launch;
}

std::string mixed_instruction_sets(const comm::Communicator& world) {
  const std::vector<std::string> sets = world.gather(numerics::instruction_set());
  const auto other =
      std::find_if(sets.begin(), sets.end(), [&](const auto& set) { return set != sets.front(); });
  if (other == sets.end()) return "";
  return fmt::format(
      "warning: rank 0 computes with {}, rank {} with {}: other numbers of ranks will not give the same "
      "bits; "
      "numerics.isa can hold all to one instruction set",
      sets.front(), other - sets.begin(), *other);
}

}  // namespace dmoe::run
