// HDF5 data types and data spaces of what we store. Inside this module only: it shows the C API.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <hdf5.h>

#include "hdf5/handle.hpp"
#include "hdf5/values.hpp"

namespace dmoe::hdf5 {

/// In the file: little-endian, e.g. H5T_IEEE_F32LE. In memory: this machine's. Local.
hid_t file_type(Element element);
hid_t memory_type(Element element);

/// UTF-8 strings of `bytes` each, or H5T_VARIABLE. Local.
Handle text_type(std::size_t bytes, const Action& action);

/// A space of that shape; {} is a scalar. Local.
Handle space_of(const Shape& shape, const Action& action);
Shape shape_of(Id space, const Action& action);

/// "float32", "int64", "uint8", "text", or HDF5's class in words. Local.
std::string type_name(Id type);

/// Whether every value of the stored type is one of `element`'s. Local.
bool fits_without_loss(Id stored, Element element);

/// Whether all but the upper half of its values are: uint64 as int64. Local.
bool may_overflow(Id stored, Element element);

/// All strings of an attribute or a dataset, variable-length or fixed. `read` is H5Aread or H5Dread with
/// everything but memory type and buffer bound. Local.
std::vector<std::string> read_strings(Id stored, Id space, const Action& action,
                                      const std::function<herr_t(hid_t, void*)>& read);

}  // namespace dmoe::hdf5
