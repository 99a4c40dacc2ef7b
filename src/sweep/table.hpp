// The results of a sweep, gathered from its runs.
#pragma once

#include <string>
#include <vector>

#include "io/table.hpp"
#include "sweep/plan.hpp"

namespace dmoe::sweep {

/// What is kept of one run: DIR/runs/NAME.
std::string sweep_run_folder(const std::string& folder, const PlannedRun& run);

/// How far a run is, with the very config that is planned. Throws InputError where the folder holds a run of
/// another one, or its file cannot be read. Local.
enum class RunState { missing, unfinished, finished, analyzed };
RunState state_of(const std::string& folder, const PlannedRun& run);

/// One row a run, in the order of the plan: run, group, config, the keys of the grids, status, layers,
/// parameters, multiply_accumulates, epochs, {test,train,validation}_{error,loss} of the last evaluation
/// (errors as fractions), seconds; of every layer with a gate the largest and smallest mean gate, and per
/// factor the soft mutual information over log N and its p-value. What a run does not have is NaN or "", and
/// so is all of a file that cannot be read (status "unreadable"). Local.
std::vector<io::TableColumn> sweep_table(const std::string& folder, const SweepPlan& plan);

/// Mean and sample standard deviation of the errors over the seeds, a line for each group:
/// "small,network.baseline=none  test 1.62 +- 0.05 %, train 1.21 +- 0.02 % (3 runs)". Local.
std::string sweep_summary(const std::string& folder, const SweepPlan& plan);

}  // namespace dmoe::sweep
