// What one core takes for the parts of a step.
#pragma once

#include "calibration/calibration.hpp"

namespace dmoe::calibration {

/// Fills in all but the links. Local.
void measure_computing(const Plan& plan, scale::Machine& machine);

}  // namespace dmoe::calibration
