// The model file (model.h5): every parameter at /model/<its name>, laid out by global expert index, so that
// any number of ranks writes the same file and any other reads it.
#pragma once

#include <string>

#include "core/types.hpp"
#include "distribution/network.hpp"
#include "io/format.hpp"

namespace dmoe::io {

/// Writes the weights: each rank its own experts, in chunks of one expert, all ranks together. The file
/// appears complete or not at all. Throws RunError on all ranks. Collective over the network's ranks.
void save_model(const std::string& path, distribution::Network& network, const std::string& config_toml,
                Index step, Index epoch);

/// Reads the weights of a network of the same shape, saved by any number of ranks; each rank reads its own
/// part. Throws InputError on all ranks where the file is missing, damaged, of another format or a newer
/// version, or where a tensor is missing or of another shape; then no weight has changed unless the damage is
/// in the values. Collective over the network's ranks.
void load_model(const std::string& path, distribution::Network& network);

}  // namespace dmoe::io
