// SIGINT, SIGTERM and SIGUSR1 as requests to stop in an orderly way.
#pragma once

namespace dmoe::run {

/// From now on each of them only sets a flag, however often it comes: who warns a job may do so twice. A
/// second SIGINT ends the process, as who presses ctrl-C again means it. A reader of our output that leaves
/// ends nothing. Local.
void catch_stop_signals();

/// True once one has come. Local.
bool stop_requested();

}  // namespace dmoe::run
