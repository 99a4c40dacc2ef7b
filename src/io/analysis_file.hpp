// The analysis of a run, in its run file: that of the test set in /analysis, those of the other splits in
// /analysis_train and /analysis_validation, which are the same inside.
//
//   /analysis                                   attributes: split, examples, permutation_seed; groups: how
//   many
//                                               were shuffled as wholes, where examples come in groups;
//                                               data_differences: where the data are not those of the run
//   /analysis/config                            the effective TOML it was made with
//   /analysis/layers/l/mean_gate                (N)
//   /analysis/layers/l/dead                     (N): 1 for an expert with less than 1 % of an even share
//   /analysis/layers/l/entropy/of_mean_gate     (2): nats, and divided by log N
//   /analysis/layers/l/entropy/mean_of_gates    (2)
//   /analysis/layers/l/by_FACTOR                (N, levels..), NaN where a level has no examples; attribute
//                                               levels: their names, where they have names
//   /analysis/layers/l/mutual_information/FACTOR/{soft,hard}  (2)
//   /analysis/layers/l/mutual_information/FACTOR/null         (2, R, 2): of soft and hard, factor shuffled
//   /analysis/layers/l/mutual_information/FACTOR/p_value      (2): of soft and hard
//   /analysis/pairs/l/{joint,joint_rows}        (N, N'), layers l and the next with a gate (attribute
//                                               next_layer of pairs/l); absent where there are too many
//   /analysis/pairs/l/top_examples/{index,gate,input}         (N, N', n), the same, (N, N', n, D)
//   /analysis/layers/l/top_examples/{index,gate,input}        (N, n), the same, (N, n, D): of the only layer
//                                                             with a gate
//
// A layer without a gate has no group.
#pragma once

#include <optional>
#include <string>

#include "analysis/analysis.hpp"

namespace dmoe::io {

/// Where the analysis of a split stands: "/analysis" of the test set, "/analysis_train". Local.
std::string analysis_group(const std::string& split);

/// Puts an analysis into a run file, in place of an older one of the same split; the file changes at once or
/// not at all. Not while the run goes on: its next write would drop the analysis. Throws InputError where the
/// file is no run file, RunError where it cannot be written. Local.
void write_analysis(const std::string& run_path, const analysis::Analysis& result,
                    const std::string& config_toml);

/// The analysis of a split in a run file, without its pairs and top examples; nothing where there is none.
/// Throws InputError. Local.
std::optional<analysis::Analysis> read_analysis(const std::string& run_path,
                                                const std::string& split = "test");

}  // namespace dmoe::io
