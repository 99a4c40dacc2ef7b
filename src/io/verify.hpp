// Whether a file of dmoe is whole: reads every value there is.
#pragma once

#include <string>

#include "core/types.hpp"

namespace dmoe::io {

/// What a file that is whole holds.
struct Verified {
  std::string format;  // "dmoe-run", ..; "HDF5" of a file that is not dmoe's
  Index datasets = 0;
  Index bytes = 0;  // of the file
};

enum class Foreign { refuse, allow };

/// Reads all objects, attributes and values of a run, model, checkpoint or frames file (or of any HDF5 file,
/// where foreign ones are allowed), which compares every checksum, in slabs of at most 16 MiB; then what has
/// a reader of its own through that. Throws InputError. Local.
Verified verify(const std::string& path, Foreign foreign);

}  // namespace dmoe::io
