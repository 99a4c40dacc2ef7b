// SIGINT, SIGTERM and SIGUSR1 as requests to stop in an orderly way.
#pragma once

namespace dmoe::app {

/// From now on the first signal of each kind only sets a flag; the second has its default effect. Local.
void catch_stop_signals();

/// True once one has come. Local.
bool stop_requested();

}  // namespace dmoe::app
