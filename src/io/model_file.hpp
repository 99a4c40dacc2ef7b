// The model file (model.h5): every parameter at /model/<its name>, laid out by global expert index, so that
// any number of ranks writes the same file and any other reads it. A checkpoint holds a model in the same
// place.
#pragma once

#include <string>

#include "core/types.hpp"
#include "distribution/network.hpp"
#include "hdf5/file.hpp"
#include "io/data_record.hpp"
#include "io/format.hpp"

namespace dmoe::io {

/// How far a model was trained, and on what.
struct Trained {
  Index step = 0;   // steps done
  Index epoch = 0;  // epochs done
  Index phase = 0;  // in force last, of the config's, from 0
  DataRecord data = {};
};

/// Writes the weights: each rank its own experts, in chunks of one expert, all ranks together. The file
/// appears complete or not at all. Throws RunError on all ranks. Collective over the network's ranks.
void save_model(const std::string& path, distribution::Network& network, const std::string& config_toml,
                const Trained& trained);

/// Reads the weights of a network of the same shape, saved by any number of ranks; each rank of the first
/// replica reads its own part, of a model or of a checkpoint, and sends it to the other replicas. Throws
/// InputError on all ranks where the file is missing, damaged, of another format or a newer version, or where
/// a tensor is missing or of another shape; then no weight has changed unless the damage is in the values.
/// Collective over all replicas.
void load_model(const std::string& path, distribution::Network& network);

/// How far the model in a model file or checkpoint was trained, and on what; of the first files, which do not
/// say, the phase is -1. Throws InputError. Local.
Trained read_trained(const std::string& path);

/// The group /model on its own. Local or collective, as the file.
void write_model(hdf5::File& file, distribution::Network& network, const Trained& trained);
/// Throws InputError where the file holds another network. Local.
void check_model(const hdf5::File& file, distribution::Network& network);
/// What the first replica reads of a file that was checked; elsewhere it is null. Throws InputError on all
/// ranks. Collective over all replicas.
void read_model(const hdf5::File* file, distribution::Network& network);

}  // namespace dmoe::io
