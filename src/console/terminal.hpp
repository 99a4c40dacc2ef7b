// Whether a person watches the output.
#pragma once

#include <optional>

namespace dmoe::console {

/// Columns of the terminal that this process's standard output ends up on; nothing where that is a file or a
/// pipe. mpirun gives the first rank a pseudo-terminal whatever its own output is, and mpiexec of MPICH a
/// pipe: under them it is their output that counts. Local.
std::optional<int> terminal_width();

}  // namespace dmoe::console
