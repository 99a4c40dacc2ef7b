// The constants of a machine as TOML, for people to read and to change.
//
//     name = "EPYC, 2 cores"
//     [memory]     bandwidth
//     [costs]      presenting, softmax, choosing, planning
//     [inner]      latency, bandwidth, overhead; [outer] likewise, without it as [inner]
//     [node]       ranks; without it all ranks are on one node
//     [products]   rows, outputs, inputs: axes; forward, input_gradient, weight_gradient: milliseconds,
//                  rows slowest, inputs fastest
#pragma once

#include <string>

#include "scale/machine.hpp"

namespace dmoe::scale {

/// Throws InputError for text, called `name` in messages, that is not such a file: with line, key, value and
/// what is allowed. Local.
Machine parse_machine(const std::string& text, const std::string& name);

/// What parse_machine reads to the same machine again, to six digits. Local.
std::string to_toml(const Machine& machine);

}  // namespace dmoe::scale
