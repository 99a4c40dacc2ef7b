#include "hdf5/storage.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <hdf5.h>

#include "hdf5/datatypes.hpp"
#include "hdf5/file.hpp"

namespace dmoe::hdf5 {

namespace {

namespace fs = std::filesystem;

/// Virtual datasets whose sources are virtual, down to those that give each other's values.
class Depth {
 public:
  explicit Depth(const Action& action) {
    constexpr int limit = 8;
    if (depth_ == limit) fail(action, fmt::format("its values are in virtual datasets, {} deep", limit));
    ++depth_;
  }
  ~Depth() { --depth_; }
  Depth(const Depth&) = delete;
  Depth& operator=(const Depth&) = delete;

 private:
  static inline thread_local int depth_ = 0;
};

/// A name that HDF5 tells in two calls, the first for its length.
std::string name_of(const Action& action, const std::function<ssize_t(char*, std::size_t)>& tell) {
  const Id length = check(tell(nullptr, 0), action);
  std::string name(static_cast<std::size_t>(length) + 1, '\0');
  check(tell(name.data(), name.size()), action);
  name.resize(static_cast<std::size_t>(length));
  return name;
}

/// The first of these folders in which HDF5 finds the file.
std::optional<fs::path> found(const fs::path& name, const std::vector<fs::path>& folders) {
  std::error_code ignored;
  for (const fs::path& folder : folders) {
    if (fs::is_regular_file(folder / name, ignored)) return folder / name;
  }
  return std::nullopt;
}

/// The folder that an environment variable of HDF5 names; ${ORIGIN} there is that of the file.
std::optional<fs::path> folder_of(const char* variable, const fs::path& origin) {
  const char* value = std::getenv(variable);  // NOLINT(concurrency-mt-unsafe)
  if (value == nullptr || *value == '\0') return std::nullopt;
  constexpr std::string_view start = "${ORIGIN}";
  const std::string_view text = value;
  if (!text.starts_with(start)) return fs::path(text);
  return origin.string() + std::string(text.substr(start.size()));
}

/// Chunks in the order of their first elements.
void check_chunks(const Handle& dataset, Id creation, Id space, const Action& action) {
  const Shape shape = shape_of(space, action);
  std::vector<hsize_t> chunk(shape.size());
  check(H5Pget_chunk(creation, narrow<int>(chunk.size()), chunk.data()), action);
  std::vector<hsize_t> counts(shape.size());
  hsize_t expected = 1;
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    counts[axis] = (narrow<hsize_t>(shape[axis]) + chunk[axis] - 1) / chunk[axis];
    expected *= counts[axis];
  }
  hsize_t stored = 0;
  check(H5Dget_num_chunks(dataset.id(), space, &stored), action);  // HDF5 1.10 refuses H5S_ALL
  if (stored >= expected) return;
  for (hsize_t index = 0; index < expected; ++index) {
    std::vector<hsize_t> first(shape.size());
    hsize_t rest = index;
    for (std::size_t axis = shape.size(); axis-- > 0; rest /= counts[axis]) {
      first[axis] = rest % counts[axis] * chunk[axis];
    }
    unsigned filters = 0;
    haddr_t address = HADDR_UNDEF;
    hsize_t bytes = 0;
    const herr_t result = H5Dget_chunk_info_by_coord(dataset.id(), first.data(), &filters, &address, &bytes);
    if (result >= 0 && address != HADDR_UNDEF) continue;
    fail(action, fmt::format("{} of its {} chunks were never stored, the first of them at element ({})",
                             expected - stored, expected, fmt::join(first, ", ")));
  }
}

void check_external(Id creation, int files, Index bytes, const Action& action) {
  const fs::path origin = fs::path(action.file).parent_path();
  const std::optional<fs::path> prefix = folder_of("HDF5_EXTFILE_PREFIX", origin);
  Index reached = 0;
  for (int file = 0; file < files && reached < bytes; ++file) {
    off_t offset = 0;
    hsize_t length = 0;
    std::string name(4096, '\0');
    check(H5Pget_external(creation, static_cast<unsigned>(file), name.size(), name.data(), &offset, &length),
          action);
    name.resize(name.find('\0'));
    const std::optional<fs::path> path = found(name, {prefix.value_or("")});
    if (!path) fail(action, fmt::format("its raw file '{}' is missing", name));
    const Index rest = bytes - reached;
    const Index wanted = length == H5F_UNLIMITED ? rest : std::min(rest, narrow<Index>(length));
    std::error_code error;
    const auto size = fs::file_size(*path, error);
    if (error) fail(action, fmt::format("its raw file '{}': {}", name, error.message()));
    if (narrow<Index>(size) < offset + wanted) {
      fail(action,
           fmt::format("its raw file '{}' has {} bytes, {} are expected", name, size, offset + wanted));
    }
    reached += wanted;
  }
  if (reached < bytes) fail(action, fmt::format("its raw files hold {} bytes, expected {}", reached, bytes));
}

/// A source of a virtual dataset, which HDF5 looks for beside the file that names it and in the folder one
/// works in.
File open_source(const std::string& name, const Action& action) {
  const fs::path origin = fs::path(action.file).parent_path();
  std::vector<fs::path> folders;
  if (const auto prefix = folder_of("HDF5_VDS_PREFIX", origin)) folders.push_back(*prefix);
  folders.insert(folders.end(), {origin, ""});
  const std::optional<fs::path> path = found(name, folders);
  if (!path) fail(action, fmt::format("its values are in the file '{}', which is missing", name));
  return File::open_read(*path);
}

void check_virtual(Id creation, Index elements, const Action& action) {
  const Depth deeper(action);
  std::size_t sources = 0;
  check(H5Pget_virtual_count(creation, &sources), action);
  Index given = 0;
  for (std::size_t source = 0; source < sources; ++source) {
    const std::string file_name = name_of(action, [&](char* text, std::size_t size) {
      return H5Pget_virtual_filename(creation, source, text, size);
    });
    const std::string object = name_of(action, [&](char* text, std::size_t size) {
      return H5Pget_virtual_dsetname(creation, source, text, size);
    });
    const Handle target(check(H5Pget_virtual_vspace(creation, source), action), H5Sclose);
    const Handle selected(check(H5Pget_virtual_srcspace(creation, source), action), H5Sclose);
    // Named by a pattern, or as long as its source is: what is not there makes the dataset shorter.
    const bool grows = H5Sget_select_npoints(target.id()) == static_cast<hssize_t>(H5S_UNLIMITED);
    if (grows || file_name.find('%') != std::string::npos || object.find('%') != std::string::npos) return;
    given += check(H5Sget_select_npoints(target.id()), action);
    const File file = file_name == "." ? File::open_read(action.file) : open_source(file_name, action);
    file.check_stored(object);
    const Shape shape = file.shape(object);
    std::vector<hsize_t> first(shape.size());
    std::vector<hsize_t> last(shape.size());
    if (shape.empty() || H5Sget_simple_extent_ndims(selected.id()) != narrow<int>(shape.size())) continue;
    check(H5Sget_select_bounds(selected.id(), first.data(), last.data()), action);
    for (std::size_t axis = 0; axis < shape.size(); ++axis) {
      if (last[axis] < narrow<hsize_t>(shape[axis])) continue;
      fail(action, fmt::format("{} of '{}', where its values are, has the shape {}, too small for them",
                               object, file_name, to_text(shape)));
    }
  }
  if (given < elements) {
    fail(action, fmt::format("{} of its {} elements are in no file", elements - given, elements));
  }
}

}  // namespace

void check_stored(const Handle& dataset, const Action& action) {
  const Handle space(check(H5Dget_space(dataset.id()), action), H5Sclose);
  const Shape shape = shape_of(space.id(), action);
  const Index elements = element_count(shape);
  if (elements == 0) return;
  const Handle creation(check(H5Dget_create_plist(dataset.id()), action), H5Pclose);
  switch (H5Pget_layout(creation.id())) {
    case H5D_CHUNKED:
      return check_chunks(dataset, creation.id(), space.id(), action);
    case H5D_VIRTUAL:
      return check_virtual(creation.id(), elements, action);
    case H5D_CONTIGUOUS:
      break;
    default:
      return;  // in the header of the dataset itself
  }
  if (const int files = H5Pget_external_count(creation.id()); files > 0) {
    const Handle type(check(H5Dget_type(dataset.id()), action), H5Tclose);
    return check_external(creation.id(), files, elements * narrow<Index>(H5Tget_size(type.id())), action);
  }
  H5D_space_status_t status = H5D_SPACE_STATUS_ERROR;
  check(H5Dget_space_status(dataset.id(), &status), action);
  if (status == H5D_SPACE_STATUS_NOT_ALLOCATED) fail(action, "nothing was ever stored in it");
}

}  // namespace dmoe::hdf5
