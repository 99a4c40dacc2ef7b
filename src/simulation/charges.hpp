// What a simulated rank was charged for; core/simulation.hpp is how the code charges.
#pragma once

#include <map>
#include <string>

#include "simulation/work_times.hpp"

namespace dmoe::simulation {

/// Takes the table from which this rank is charged from now on. Before that nothing is charged. Local.
void charge_from(const WorkTimes& times);

/// Seconds charged to this rank since the start, by work: "128x256" for products of layers of 128 outputs and
/// 256 inputs, and the names of units. Local.
std::map<std::string, double> charged_seconds();

}  // namespace dmoe::simulation
