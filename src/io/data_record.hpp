// What a run was trained on, in run, model and checkpoint files.
//
//   /data                   attributes: train_examples, validation_examples, test_examples, classes (C), and
//                           folder: from which relative paths of the config are taken
//   /data/example_shape     (A): of one example, such as 28, 28
//   /data/levels/FACTOR     (L): names of its levels, where they have names; FACTOR "class": of the classes
//   /data/SPLIT             attributes: inputs, labels (checksums, data/checksum.hpp)
//   /data/SPLIT/class_counts    (C): examples of each class
//
// Files of older versions have the three counts alone, or nothing.
#pragma once

#include <string>

#include "core/types.hpp"
#include "data/contents.hpp"
#include "hdf5/file.hpp"

namespace dmoe::io {

struct DataRecord {
  Index train_examples = 0;
  Index validation_examples = 0;
  Index test_examples = 0;
  std::string folder;       // absolute; empty: not known
  data::Contents contents;  // as far as known
  bool operator==(const DataRecord&) const = default;
};

/// Local or collective, as the file.
void write_data(hdf5::File& file, const DataRecord& data);
/// Throws InputError. Local.
DataRecord read_data(const hdf5::File& file);
/// Of a run, model or checkpoint file. Throws InputError. Local.
DataRecord read_data(const std::string& path);

}  // namespace dmoe::io
