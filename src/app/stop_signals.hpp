// SIGINT, SIGTERM and SIGUSR1 as requests to stop in an orderly way.
#pragma once

namespace dmoe::app {

/// From now on the first signal of each kind only sets a flag; the second has its default effect. A reader of
/// our output that leaves ends nothing. Local.
void catch_stop_signals();

/// True once one has come. Local.
bool stop_requested();

}  // namespace dmoe::app
