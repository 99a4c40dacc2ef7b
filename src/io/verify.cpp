#include "io/verify.hpp"

#include <algorithm>
#include <filesystem>
#include <numeric>
#include <span>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "data/frames_file.hpp"
#include "hdf5/file.hpp"
#include "io/analysis_file.hpp"
#include "io/checkpoint_file.hpp"
#include "io/format.hpp"
#include "io/run_summary.hpp"
#include "io/table.hpp"
#include "io/tensors.hpp"

namespace dmoe::io {

namespace {

constexpr Index slab_bytes = Index{16} << 20;
constexpr Index element_bytes = 8;        // at most
constexpr int most_depth = 16;            // of groups: 5 are in use
constexpr Index most_compression = 1100;  // gzip's is 1,032

/// Every value of a numeric dataset, a few rows at a time.
template <class T>
void read_rows(const hdf5::File& file, const std::string& path, const hdf5::Shape& shape) {
  if (shape.empty() || hdf5::element_count(shape) == 0) {
    file.read<T>(path);
    return;
  }
  const Index row = hdf5::element_count(hdf5::Shape(shape.begin() + 1, shape.end()));
  const Index rows = std::max(Index{1}, slab_bytes / element_bytes / row);
  for (Index first = 0; first < shape.front(); first += rows)
    file.read_slab<T>(path, {first, std::min(rows, shape.front() - first)});
}

void read_dataset(const hdf5::File& file, const std::string& path) {
  const hdf5::DatasetInfo info = file.info(path);
  const auto file_bytes = static_cast<Index>(std::filesystem::file_size(file.path()));
  if (const Index values = hdf5::element_count(info.shape); values / most_compression > file_bytes)
    throw InputError("{}: {}: it announces {} values, more than a file of {} bytes can hold", file.path(),
                     path, values, file_bytes);
  if (info.type == "text") {
    info.shape.empty() ? void(file.read_text(path)) : void(file.read_texts(path));
  } else if (info.type.starts_with("float")) {
    read_rows<double>(file, path, info.shape);
  } else if (info.type.starts_with("int") || (info.type.starts_with("uint") && info.type != "uint64")) {
    read_rows<std::int64_t>(file, path, info.shape);
  } else {  // which nobody here reads as a whole
    file.check_stored(path);
  }
}

/// Every frame, which checks its values, in the order of the file and a few utterances at a time.
void read_frames(const data::FramesFile& frames) {
  std::vector<Index> all(size(frames.utterance_count()));
  std::iota(all.begin(), all.end(), Index{0});
  for (std::size_t begin = 0; begin < all.size();) {
    std::size_t end = begin;
    for (Index bytes = 0; end < all.size() && bytes < slab_bytes; ++end)
      bytes += frames.length(all[end]) * frames.feature_count() * element_bytes;
    frames.read(std::span(all).subspan(begin, end - begin));
    begin = end;
  }
}

/// Returns how many datasets there are in a group and below.
Index read_group(const hdf5::File& file, const std::string& group, int depth = 0) {
  if (depth > most_depth)
    throw InputError("{}: groups lie more than {} deep in each other, or a link leads back", file.path(),
                     most_depth);
  Index datasets = 0;
  file.attributes(group);
  for (const std::string& name : file.children(group)) {
    const std::string path = (group == "/" ? "" : group) + "/" + name;
    if (file.kind(path) == hdf5::File::Kind::group) {
      datasets += read_group(file, path, depth + 1);
    } else {
      file.attributes(path);
      read_dataset(file, path);
      ++datasets;
    }
  }
  return datasets;
}

}  // namespace

Verified verify(const std::string& path, Foreign foreign) {
  Verified found;
  {
    const hdf5::File file = hdf5::File::open_read(path);
    const bool is_ours = foreign == Foreign::refuse || file.has_attribute("/", "format");
    found.format = is_ours ? hdf5::check_format(file, {run_format, model_format, checkpoint_format,
                                                       table_format, data::frames_format})
                           : "HDF5";
    found.datasets = read_group(file, "/");
  }
  if (found.format == run_format) {
    read_run(path);
    for (const char* split : {"test", "train", "validation"}) read_analysis(path, split);
  } else if (found.format == model_format) {
    read_config(path);
    verify_tensors(hdf5::File::open_read(path), "/model");
  } else if (found.format == checkpoint_format) {
    read_checkpoint(path);
    const hdf5::File file = hdf5::File::open_read(path);
    for (const char* group : {"/model", "/optimizer"}) verify_tensors(file, group);
  } else if (found.format == data::frames_format) {
    read_frames(data::FramesFile(path));
  }
  found.bytes = static_cast<Index>(std::filesystem::file_size(path));
  return found;
}

}  // namespace dmoe::io
