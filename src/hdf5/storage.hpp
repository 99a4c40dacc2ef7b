// Whether the values of a dataset were ever stored: HDF5 reads what was not as zeros, or as another fill
// value, without a word. Inside this module only.
#pragma once

#include "hdf5/handle.hpp"

namespace dmoe::hdf5 {

/// Throws InputError where any element of the open dataset comes from no stored value: storage never
/// allocated, chunks never written, external raw files or sources of a virtual dataset that are missing or
/// too short, elements of a virtual dataset that no source gives. Names the first that is missing. Local.
void check_stored(const Handle& dataset, const Action& action);

}  // namespace dmoe::hdf5
