// The columns beside the mixture's in the paper's tables: what a Deep Mixture of Experts is compared with.
#pragma once

#include <string>
#include <vector>

#include "model/network_spec.hpp"

namespace dmoe::model {

/// How a network follows from a Deep Mixture of Experts (paper, section 4). The paper gives the dense network
/// as many parameters as the mixture has, gates included, and as many units in its upper layers; a second
/// reading gives all its layers one width.
enum class Baseline {
  none,                // the mixture itself
  single,              // one fixed expert in place of the last mixture
  concatenated,        // the last mixture's experts side by side, without their gate
  dense_wide_first,    // H_l units in every layer but the first, which takes the rest of the parameters
  dense_equal_widths,  // all layers of one width
};

/// "none", .. Local.
std::string to_text(Baseline baseline);
/// All of them, in the order of the enum. Local.
std::vector<std::string> baseline_names();
/// Throws InputError for a name that is none. Local.
Baseline baseline_named(const std::string& name);

/// The baseline of a network whose layers are mixtures. The widths of a dense one are those nearest to the
/// mixture's parameter count. Throws InputError where a layer is no mixture. Local.
NetworkSpec baseline_of(const NetworkSpec& mixture, Baseline baseline);

}  // namespace dmoe::model
