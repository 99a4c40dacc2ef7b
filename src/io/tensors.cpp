#include "io/tensors.hpp"

#include <algorithm>
#include <array>
#include <bit>

#include <fmt/format.h>

#include "comm/together.hpp"
#include "core/error.hpp"

namespace dmoe::io {

namespace {

std::string path_of(const std::string& group, const model::Parameter& tensor) {
  return fmt::format("{}/{}", group, tensor.name);
}

/// A tensor that ranks share is chunked by expert, so that no two of them write into one chunk.
hdf5::Shape chunk_of(const model::Parameter& tensor) {
  if (!tensor.is_sharded()) return {};
  hdf5::Shape chunk = tensor.shape;
  chunk.front() = 1;
  return chunk;
}

constexpr const char* checksum_name = "checksum";
constexpr Index slab_values = Index{4} << 20;
constexpr Index written_at_once = Index{16} << 20;  // values of one rank: HDF5 copies what it writes

/// The finaliser of SplitMix64.
constexpr std::uint64_t mixed(std::uint64_t x) {
  x += 0x9E3779B97F4A7C15U;
  x = (x ^ (x >> 30U)) * 0xBF58476D1CE4E5B9U;
  x = (x ^ (x >> 27U)) * 0x94D049BB133111EBU;
  return x ^ (x >> 31U);
}

/// Values of one entry of the first axis.
Index row_size(const hdf5::Shape& shape) {
  return hdf5::element_count(hdf5::Shape(shape.begin() + 1, shape.end()));
}

/// Writes what the ranks own of a tensor into its dataset, some chunks at a time.
void write_own_rows(hdf5::File& file, const std::string& path, const model::Parameter& tensor,
                    const comm::Communicator& ranks) {
  const Index values = row_size(tensor.shape);
  const Index most = ranks.all_reduce_max(tensor.count);  // every rank takes part in every write
  const Index rows = tensor.is_sharded() ? std::max(Index{1}, written_at_once / values) : most;
  for (Index done = 0; done < most; done += rows) {
    const Index first = std::min(done, tensor.count);
    const Index count = std::min(rows, tensor.count - first);
    file.write_slab(path, {tensor.first + first, count},
                    tensor.values.subspan(size(first * values), size(count * values)));
  }
}

/// Of a tensor in a file, some rows at a time.
std::uint64_t checksum_in(const hdf5::File& file, const std::string& path, const std::string& name) {
  const hdf5::Shape shape = file.shape(path);
  if (shape.empty() || hdf5::element_count(shape) == 0) return checksum(name, 0, file.read<float>(path));
  const Index values = row_size(shape);
  const Index rows = std::max(Index{1}, slab_values / values);
  std::uint64_t sum = 0;
  for (Index first = 0; first < shape.front(); first += rows)
    sum += checksum(name, first * values,
                    file.read_slab<float>(path, {first, std::min(rows, shape.front() - first)}));
  return sum;
}

/// Of all tensors in a group and below; `prefix` leads to it from the group of the list.
std::uint64_t checksum_below(const hdf5::File& file, const std::string& group, const std::string& prefix) {
  std::uint64_t sum = 0;
  for (const std::string& child : file.children(group)) {
    const std::string path = fmt::format("{}/{}", group, child);
    sum += file.kind(path) == hdf5::File::Kind::group
               ? checksum_below(file, path, fmt::format("{}{}/", prefix, child))
               : checksum_in(file, path, prefix + child);
  }
  return sum;
}

}  // namespace

std::uint64_t checksum(std::string_view name, Index first, std::span<const float> values) {
  std::uint64_t key = 0;
  for (const char character : name) key = mixed(key + static_cast<unsigned char>(character));
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < values.size(); ++i)
    sum +=
        std::bit_cast<std::uint32_t>(values[i]) * (mixed(key + static_cast<std::uint64_t>(first) + i) | 1U);
  return sum;
}

void write_tensors(hdf5::File& file, const std::string& group, const TensorList& tensors,
                   const comm::Communicator& ranks) {
  std::uint64_t sum = 0;
  tensors([&](model::Parameter tensor) {
    if (tensor.at_home && !ranks.is_coordinator()) {  // others hold the same
      tensor.count = 0;
      tensor.values = {};
    }
    const std::string path = path_of(group, tensor);
    file.create_dataset(
        path, {.shape = tensor.shape, .annotation = {"1", tensor.dimensions}, .chunk = chunk_of(tensor)});
    write_own_rows(file, path, tensor, ranks);
    sum += checksum(tensor.name, tensor.first * row_size(tensor.shape), tensor.values);
  });
  std::array<std::int64_t, 1> total{static_cast<std::int64_t>(sum)};
  ranks.all_reduce(total);
  file.write_attribute(group, checksum_name, total.front());
}

void verify_tensors(const hdf5::File& file, const std::string& group) {
  if (!file.has_attribute(group, checksum_name)) return;
  const std::uint64_t sum = checksum_below(file, group, "");
  if (static_cast<std::int64_t>(sum) == file.read_attribute<std::int64_t>(group, checksum_name)) return;
  throw InputError("{}: the tensors of {} do not have its checksum: the file is damaged", file.path(), group);
}

void check_tensors(const hdf5::File& file, const std::string& group, const TensorList& tensors) {
  tensors([&](const model::Parameter& tensor) {
    const std::string path = path_of(group, tensor);
    const hdf5::Shape found = file.shape(path);
    if (found == tensor.shape) return;
    throw InputError("{}: the shape of {} is {}, expected {}", file.path(), path, hdf5::to_text(found),
                     hdf5::to_text(tensor.shape));
  });
}

void read_tensors(const hdf5::File* file, const std::string& group, const TensorList& tensors,
                  const exchange::Grid& grid) {
  tensors([&](const model::Parameter& tensor) {
    comm::together(grid.world(), [&] {
      if (file != nullptr)
        file->read_slab(path_of(group, tensor), {tensor.first, tensor.count}, tensor.values);
    });
    if (grid.replicas() > 1) grid.column().broadcast(tensor.values);
  });
}

}  // namespace dmoe::io
