// The whole program as a function, for main and for programs that add parts of their own before they call it.
#pragma once

namespace dmoe::app {

/// Parses the command line, runs the command on all ranks and returns the exit status: 0 done, 1 failure in
/// mid-run, 2 bad usage, config or data. Call it once, from main.
int run(int argc, char** argv);

}  // namespace dmoe::app
