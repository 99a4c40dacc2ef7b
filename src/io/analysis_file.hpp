// The analysis of a run, in its run file.
//
//   /analysis                                               attributes: split, examples
//   /analysis/layers/l/mean_gate                            (N)
//   /analysis/layers/l/by_FACTOR                            (N, levels..), NaN where a level has no examples
//   /analysis/layers/l/mutual_information/FACTOR/{soft,hard}  (2): nats, and divided by log N
#pragma once

#include <optional>
#include <string>

#include "analysis/specialisation.hpp"

namespace dmoe::io {

/// Puts an analysis into a run file, in place of an older one; the file changes at once or not at all. Not
/// while the run goes on: its next write would drop the analysis. Throws InputError where the file is no run
/// file, RunError where it cannot be written. Local.
void write_analysis(const std::string& run_path, const analysis::Specialisation& result);

/// The analysis in a run file; nothing where there is none. Throws InputError. Local.
std::optional<analysis::Specialisation> read_analysis(const std::string& run_path);

}  // namespace dmoe::io
