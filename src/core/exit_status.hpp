// How the program ends.
#pragma once

namespace dmoe {

/// Exit status of the program; stopped: on request, with a checkpoint to resume from.
enum class ExitStatus : int { done = 0, failed = 1, refused = 2, stopped = 75 };

}  // namespace dmoe
