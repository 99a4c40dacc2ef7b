// A list of tensors in a file, each under its name in one group, laid out by global expert index: any number
// of ranks writes the same file and any other reads it.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "comm/communicator.hpp"
#include "core/types.hpp"
#include "exchange/grid.hpp"
#include "hdf5/file.hpp"
#include "model/parameters.hpp"

namespace dmoe::io {

/// Visits tensors, the same list in the same order on every rank; `values` is this rank's part of each.
using TensorList = std::function<void(const model::ParameterVisitor&)>;

/// Of values of a tensor, the first of them at `first` of it: the sum over them (mod 2^64) of their bits
/// times an odd number that name and place give. What ranks hold adds up to the number of the whole. Local.
std::uint64_t checksum(std::string_view name, Index first, std::span<const float> values);

/// Writes each rank's part, in chunks of one expert, and the checksum of all tensors as the group's
/// attribute: that of HDF5 is one of a chunk's bytes, whatever tensor it is found in. Collective over
/// `ranks`.
void write_tensors(hdf5::File& file, const std::string& group, const TensorList& tensors,
                   const comm::Communicator& ranks);

/// Throws InputError where the tensors in a group do not have its checksum, which the first files lack.
/// Local.
void verify_tensors(const hdf5::File& file, const std::string& group);

/// Throws InputError where a tensor is missing or of another shape. Local.
void check_tensors(const hdf5::File& file, const std::string& group, const TensorList& tensors);

/// Reads the part of each rank into `values`: those of the first replica from `file` (elsewhere it is null),
/// the others from them, down the columns, so that the disk is asked for each part once. Throws InputError on
/// all ranks. Collective over all replicas.
void read_tensors(const hdf5::File* file, const std::string& group, const TensorList& tensors,
                  const exchange::Grid& grid);

}  // namespace dmoe::io
