// Whether a person watches the output.
#pragma once

#include <optional>

namespace dmoe::app {

/// Columns of the terminal that this process's standard output ends up on; nothing where that is a file or a
/// pipe. mpirun gives the first rank a pseudo-terminal whatever its own output is, so under mpirun it is
/// mpirun's that counts. Local.
std::optional<int> terminal_width();

}  // namespace dmoe::app
