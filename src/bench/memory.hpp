// What a process takes of the machine's memory.
#pragma once

#include "core/types.hpp"

namespace dmoe::bench {

/// Bytes of this process that are in memory, after giving back what is free. 0 where the system does not say.
/// Local.
Index resident_bytes();

}  // namespace dmoe::bench
