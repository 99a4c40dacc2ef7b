// The table of data sets.
#pragma once

#include <cstdint>

#include "core/registry.hpp"
#include "data/dataset.hpp"

namespace dmoe::data {

/// Context: the training seed, which keys the transformations of the training set.
using DatasetRegistry = Registry<Dataset, std::uint64_t>;

/// Every data set that [data] name can select. Local.
DatasetRegistry& datasets();

}  // namespace dmoe::data
