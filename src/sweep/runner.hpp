// Runs what a sweep plans, as many runs side by side as there are cores.
//
//     DIR/runs/NAME/{run.h5,model.h5}    one folder a run, made by dmoe train and dmoe analyze
//     DIR/logs/NAME.log                  what they said
//     DIR/table.csv, DIR/table.h5        one row a run (sweep/table.hpp), written anew whenever a run ends
#pragma once

#include <string>

#include "comm/together.hpp"
#include "core/exit_status.hpp"
#include "sweep/plan.hpp"

namespace dmoe::sweep {

struct Options {
  std::string output;
  Index cores = 0;       // 0: all that this process may use
  Index patience = 600;  // seconds
};

/// Each run and how far it is, on standard output. Local.
void print_plan(const Options& options, const SweepPlan& plan);

/// Starts what is missing and keeps the tables up to date, until all is done or it is told to stop. Throws
/// InputError where the folder cannot be had. Local.
ExitStatus run_plan(const Options& options, const SweepPlan& plan);

}  // namespace dmoe::sweep
