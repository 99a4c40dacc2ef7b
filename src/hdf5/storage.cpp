#include "hdf5/storage.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <hdf5.h>

#include "core/error.hpp"
#include "hdf5/datatypes.hpp"

namespace dmoe::hdf5 {

namespace {

namespace fs = std::filesystem;

constexpr int most_levels = 8;  // of virtual datasets whose sources are virtual

/// The part of a dataset that is asked for: from `first` to before `end` on each axis.
struct Box {
  std::vector<hsize_t> first;
  std::vector<hsize_t> end;
};

void check_stored_in(const Handle& dataset, const std::optional<Box>& asked, const Action& action, int level);

/// A name that HDF5 tells in two calls, the first for its length.
std::string name_of(const Action& action, const std::function<ssize_t(char*, std::size_t)>& tell) {
  const Id length = check(tell(nullptr, 0), action);
  std::string name(static_cast<std::size_t>(length) + 1, '\0');
  check(tell(name.data(), name.size()), action);
  name.resize(static_cast<std::size_t>(length));
  return name;
}

/// The file that holds an object: not the one that was opened, where a link led to another.
fs::path file_of(const Handle& object, const Action& action) {
  return fs::absolute(
      name_of(action, [&](char* text, std::size_t size) { return H5Fget_name(object.id(), text, size); }));
}

/// The folders that an environment variable of HDF5 names, colons between; ${ORIGIN} is that of the file.
std::vector<fs::path> folders_of(const char* variable, const fs::path& origin) {
  constexpr std::string_view start = "${ORIGIN}";
  std::vector<fs::path> folders;
  const char* value = std::getenv(variable);  // NOLINT(concurrency-mt-unsafe)
  std::string_view rest = value == nullptr ? "" : value;
  while (!rest.empty()) {
    const std::string_view one = rest.substr(0, rest.find(':'));
    rest.remove_prefix(std::min(rest.size(), one.size() + 1));
    folders.emplace_back(one.starts_with(start) ? origin.string() + std::string(one.substr(start.size()))
                                                : std::string(one));
  }
  return folders;
}

std::optional<fs::path> found_in(const std::vector<fs::path>& folders, const fs::path& name) {
  std::error_code ignored;
  for (const fs::path& folder : folders) {
    if (fs::is_regular_file(folder / name, ignored)) return folder / name;
  }
  return std::nullopt;
}

/// Where HDF5 finds a source that the virtual dataset of `file` names: one named by an absolute path that is
/// not there, by its last part.
std::optional<fs::path> found_source(const std::string& name, const fs::path& file) {
  const fs::path origin = file.parent_path();
  std::error_code ignored;
  if (fs::is_regular_file(name, ignored)) return name;
  std::vector<fs::path> folders = folders_of("HDF5_VDS_PREFIX", origin);
  folders.insert(folders.end(), {origin, "", fs::weakly_canonical(file, ignored).parent_path()});
  return found_in(folders, fs::path(name).is_absolute() ? fs::path(name).filename() : fs::path(name));
}

/// Of HDF5's patterns: %b is the number of a block, %% is %.
std::string filled_in(const std::string& pattern, hsize_t block) {
  std::string name;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const bool is_mark = pattern[i] == '%' && i + 1 < pattern.size();
    if (!is_mark) {
      name += pattern[i];
    } else {
      name += pattern[++i] == 'b' ? std::to_string(block) : std::string(1, pattern[i]);
    }
  }
  return name;
}

bool names_blocks(const std::string& pattern) {
  return filled_in(pattern, 0) != filled_in(pattern, 1);
}

void check_chunks(const Handle& dataset, Id creation, Id space, const Box& asked, const Action& action) {
  const std::size_t axes = asked.first.size();
  std::vector<hsize_t> chunk(axes);
  check(H5Pget_chunk(creation, narrow<int>(axes), chunk.data()), action);
  const Shape shape = shape_of(space, action);
  hsize_t all = 1;
  hsize_t wanted = 1;
  std::vector<hsize_t> counts(axes);
  for (std::size_t axis = 0; axis < axes; ++axis) {
    all *= (narrow<hsize_t>(shape[axis]) + chunk[axis] - 1) / chunk[axis];
    counts[axis] = (asked.end[axis] - 1) / chunk[axis] - asked.first[axis] / chunk[axis] + 1;
    wanted *= counts[axis];
  }
  hsize_t stored = 0;
  check(H5Dget_num_chunks(dataset.id(), space, &stored), action);  // HDF5 1.10 refuses H5S_ALL
  if (stored >= all) return;
  // Finding one chunk may take HDF5 a walk past all the others.
  constexpr hsize_t most_walks = 4096;
  if (wanted > most_walks && wanted == all)
    fail(action, fmt::format("{} of its {} chunks were never stored", all - stored, all));
  for (hsize_t index = 0; index < wanted; ++index) {
    std::vector<hsize_t> first(axes);
    hsize_t rest = index;
    for (std::size_t axis = axes; axis-- > 0; rest /= counts[axis]) {
      first[axis] = (asked.first[axis] / chunk[axis] + rest % counts[axis]) * chunk[axis];
    }
    unsigned filters = 0;
    haddr_t address = HADDR_UNDEF;
    hsize_t bytes = 0;
    const herr_t result = H5Dget_chunk_info_by_coord(dataset.id(), first.data(), &filters, &address, &bytes);
    if (result >= 0 && address != HADDR_UNDEF) continue;
    fail(action, fmt::format("{} of its {} chunks were never stored, the first that is read at element ({})",
                             all - stored, all, fmt::join(first, ", ")));
  }
}

void check_external(const Handle& dataset, Id creation, int files, Index bytes, const Action& action) {
  std::vector<fs::path> folders = folders_of("HDF5_EXTFILE_PREFIX", file_of(dataset, action).parent_path());
  if (folders.empty()) folders.emplace_back("");
  Index reached = 0;
  for (int file = 0; file < files && reached < bytes; ++file) {
    off_t offset = 0;
    hsize_t length = 0;
    std::string name(65'536, '\0');
    check(H5Pget_external(creation, static_cast<unsigned>(file), name.size(), name.data(), &offset, &length),
          action);
    name.resize(std::min(name.find('\0'), name.size()));
    const std::optional<fs::path> path = found_in(folders, name);
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

/// A regular hyperslab, one axis of which may have no end.
struct Slab {
  std::vector<hsize_t> start, stride, count, block;

  bool grows(std::size_t axis) const { return count[axis] == H5S_UNLIMITED || block[axis] == H5S_UNLIMITED; }
  bool grows() const {
    for (std::size_t axis = 0; axis < start.size(); ++axis) {
      if (grows(axis)) return true;
    }
    return false;
  }
  /// How many elements of an axis of that extent it selects.
  hsize_t selected(std::size_t axis, hsize_t extent) const {
    if (extent <= start[axis]) return 0;
    const hsize_t room = extent - start[axis];
    if (block[axis] == H5S_UNLIMITED) return room;
    const hsize_t whole = room / stride[axis];
    const hsize_t in_whole = whole * block[axis] + std::min(room % stride[axis], block[axis]);
    return count[axis] == H5S_UNLIMITED ? in_whole : std::min(in_whole, count[axis] * block[axis]);
  }
};

std::optional<Slab> slab_of(Id space, const Action& action) {
  if (H5Sget_select_type(space) != H5S_SEL_HYPERSLABS || H5Sis_regular_hyperslab(space) <= 0)
    return std::nullopt;
  const auto axes = static_cast<std::size_t>(check(H5Sget_simple_extent_ndims(space), action));
  const std::vector<hsize_t> none(axes);
  Slab slab{none, none, none, none};
  check(H5Sget_regular_hyperslab(space, slab.start.data(), slab.stride.data(), slab.count.data(),
                                 slab.block.data()),
        action);
  return slab;
}

/// The sources of one virtual dataset, each opened once. All are closed again with this, before HDF5 reads:
/// one that is open in another way than HDF5 would open it is missing to it.
class Sources {
 public:
  Sources(const Handle& dataset, const Action& action, int level)
      : dataset_(&dataset), action_(action), level_(level), file_(file_of(dataset, action)) {}

  /// The dataset of a source; InputError that names the virtual one where it is not there.
  const Handle& open(const std::string& file, const std::string& object) {
    auto& [place, source] = datasets_[{file, object}];
    if (source.is_open()) return source;
    place = Handle(file == "." ? check(H5Iget_file_id(dataset_->id()), action_) : open_file(file), H5Fclose);
    const Id id = H5Dopen2(place.id(), object.c_str(), H5P_DEFAULT);
    if (id < 0)
      fail(action_, fmt::format("its values are in {} of '{}', which has no such dataset", object, file));
    source = Handle(id, H5Dclose);
    return source;
  }
  /// InputError unless the values of that part are stored there.
  void check_part(const Handle& source, const std::string& file, const std::string& object, const Box& box) {
    const std::string place = file == "." ? std::string(action_.file) : file;
    try {
      check_stored_in(source, box, {Verb::read, place, object}, level_ + 1);
    } catch (const InputError& error) {
      fail(action_, fmt::format("its values are elsewhere: {}", error.what()));
    }
  }

 private:
  Id open_file(const std::string& name) const {
    const std::optional<fs::path> path = found_source(name, file_);
    if (!path) fail(action_, fmt::format("its values are in the file '{}', which is missing", name));
    // As the virtual dataset's file is open, or as HDF5 has the source open for it: it wants the same.
    const Handle file(check(H5Iget_file_id(dataset_->id()), action_), H5Fclose);
    const Handle access(check(H5Fget_access_plist(file.id()), action_), H5Pclose);
    Id id = -1;
    for (const H5F_close_degree_t degree : {H5F_CLOSE_SEMI, H5F_CLOSE_WEAK}) {
      check(H5Pset_fclose_degree(access.id(), degree), action_);
      id = H5Fopen(path->c_str(), H5F_ACC_RDONLY, access.id());
      if (id >= 0) break;
    }
    // Those that HDF5 opens by itself it locks, up to 1.12 whatever the virtual dataset's file was told.
    if (id < 0) {
      const std::string reason = error_stack();
      const bool is_lock = reason.find("unable to lock") != std::string::npos;
      fail(action_,
           fmt::format("its values are in the file '{}': {}{}", name, reason,
                       is_lock ? "; HDF5_USE_FILE_LOCKING=FALSE in the environment lets it go without" : ""));
    }
    return id;
  }

  const Handle* dataset_;
  Action action_;
  int level_;
  fs::path file_;
  std::map<std::pair<std::string, std::string>, std::pair<Handle, Handle>> datasets_;  // file, closed last
};

std::vector<hsize_t> extents_of(Id space, const Action& action) {
  const Shape shape = shape_of(space, action);
  return {shape.begin(), shape.end()};
}

/// A mapping whose source and target grow along an axis: HDF5 takes what the source has, and fills up to the
/// longest of all. Its elements are taken from `missing`.
class Growing {
 public:
  Growing(const Slab& target, const std::vector<hsize_t>& extents) : target_(&target), extents_(&extents) {
    while (!target.grows(axis_)) ++axis_;
  }
  hsize_t length() const { return target_->selected(axis_, (*extents_)[axis_]); }
  hsize_t blocks() const {
    const hsize_t block = target_->block[axis_];
    return block == H5S_UNLIMITED ? 1 : (length() + block - 1) / block;
  }
  void take_from(Id missing, const Action& action) const {
    Slab part = *target_;
    const hsize_t block = part.block[axis_];
    const hsize_t extent = (*extents_)[axis_];
    for (hsize_t b = 0; b < blocks(); ++b) {
      part.start[axis_] = target_->start[axis_] + b * target_->stride[axis_];
      part.count[axis_] = 1;
      part.block[axis_] = std::min(block == H5S_UNLIMITED ? extent : block, extent - part.start[axis_]);
      check(H5Sselect_hyperslab(missing, H5S_SELECT_NOTB, part.start.data(), part.stride.data(),
                                part.count.data(), part.block.data()),
            action);
    }
  }

 private:
  const Slab* target_;
  const std::vector<hsize_t>* extents_;
  std::size_t axis_ = 0;
};

/// Of a mapping that has an end: the source must reach as far, and hold it.
void check_limited(Sources& sources, const std::string& file, const std::string& object, Id selected,
                   const Action& action) {
  const Handle& source = sources.open(file, object);
  const Handle space(check(H5Dget_space(source.id()), action), H5Sclose);
  const std::vector<hsize_t> extents = extents_of(space.id(), action);
  Box box{std::vector<hsize_t>(extents.size()), extents};
  const bool is_part = H5Sget_select_type(selected) != H5S_SEL_ALL && !extents.empty();
  if (is_part && H5Sget_simple_extent_ndims(selected) == narrow<int>(extents.size())) {
    check(H5Sget_select_bounds(selected, box.first.data(), box.end.data()), action);
    for (hsize_t& end : box.end) ++end;
  }
  for (std::size_t axis = 0; axis < extents.size(); ++axis) {
    if (box.end[axis] <= extents[axis]) continue;
    fail(action, fmt::format("{} of '{}', where its values are, has the shape ({}), too small for them",
                             object, file, fmt::join(extents, ", ")));
  }
  sources.check_part(source, file, object, box);
}

void check_growing(Sources& sources, const std::string& file, const std::string& object, Id selected,
                   const Growing& target, const Action& action) {
  if (names_blocks(file) || names_blocks(object)) {
    for (hsize_t block = 0; block < target.blocks(); ++block)
      check_limited(sources, filled_in(file, block), filled_in(object, block), selected, action);
    return;
  }
  const std::string name = filled_in(file, 0);
  const std::string path = filled_in(object, 0);
  const Handle& source = sources.open(name, path);
  const Handle space(check(H5Dget_space(source.id()), action), H5Sclose);
  const std::vector<hsize_t> extents = extents_of(space.id(), action);
  if (const std::optional<Slab> slab = slab_of(selected, action); slab && slab->grows()) {
    if (const hsize_t has = Growing(*slab, extents).length(); has < target.length())
      fail(action, fmt::format("{} of '{}', where its values are, has {} of {} rows", path, name, has,
                               target.length()));
  }
  sources.check_part(source, name, path, {std::vector<hsize_t>(extents.size()), extents});
}

void check_virtual(const Handle& dataset, Id creation, Id space, const Action& action, int level) {
  if (level == most_levels)
    fail(action, fmt::format("its values are in virtual datasets, {} deep", most_levels));
  const std::vector<hsize_t> extents = extents_of(space, action);
  Sources sources(dataset, action, level);
  const Handle missing(check(H5Scopy(space), action), H5Sclose);
  const std::vector<hsize_t> origin(extents.size());
  check(H5Sselect_hyperslab(missing.id(), H5S_SELECT_SET, origin.data(), nullptr, extents.data(), nullptr),
        action);
  std::size_t mappings = 0;
  check(H5Pget_virtual_count(creation, &mappings), action);
  for (std::size_t mapping = 0; mapping < mappings; ++mapping) {
    const std::string file = name_of(action, [&](char* text, std::size_t size) {
      return H5Pget_virtual_filename(creation, mapping, text, size);
    });
    const std::string object = name_of(action, [&](char* text, std::size_t size) {
      return H5Pget_virtual_dsetname(creation, mapping, text, size);
    });
    const Handle target(check(H5Pget_virtual_vspace(creation, mapping), action), H5Sclose);
    if (H5Sget_select_npoints(target.id()) == 0) continue;
    const Handle selected(check(H5Pget_virtual_srcspace(creation, mapping), action), H5Sclose);
    const std::optional<Slab> slab = slab_of(target.id(), action);
    if (slab && slab->grows()) {
      const Growing growing(*slab, extents);
      check_growing(sources, file, object, selected.id(), growing, action);
      growing.take_from(missing.id(), action);
      continue;
    }
    check_limited(sources, filled_in(file, 0), filled_in(object, 0), selected.id(), action);
    if (H5Sget_select_type(target.id()) == H5S_SEL_ALL) {
      check(H5Sselect_none(missing.id()), action);
    } else if (H5Sget_select_npoints(missing.id()) > 0) {
      check(H5Smodify_select(missing.id(), H5S_SELECT_NOTB, target.id()), action);
    }
  }
  if (const hssize_t rest = H5Sget_select_npoints(missing.id()); rest > 0) {
    fail(action,
         fmt::format("{} of its {} elements are in no file", rest, H5Sget_simple_extent_npoints(space)));
  }
}

void check_stored_in(const Handle& dataset, const std::optional<Box>& asked, const Action& action,
                     int level) {
  const Handle space(check(H5Dget_space(dataset.id()), action), H5Sclose);
  if (H5Sget_simple_extent_type(space.id()) == H5S_NULL) fail(action, "it has no value");
  const Shape shape = shape_of(space.id(), action);
  const Index elements = element_count(shape);
  if (elements == 0) return;
  const Handle creation(check(H5Dget_create_plist(dataset.id()), action), H5Pclose);
  switch (H5Pget_layout(creation.id())) {
    case H5D_CHUNKED: {
      const Box all{std::vector<hsize_t>(shape.size()), {shape.begin(), shape.end()}};
      return check_chunks(dataset, creation.id(), space.id(), asked.value_or(all), action);
    }
    case H5D_VIRTUAL:
      return check_virtual(dataset, creation.id(), space.id(), action, level);
    case H5D_CONTIGUOUS:
      break;
    default:
      return;  // in the header of the dataset itself
  }
  if (const int files = H5Pget_external_count(creation.id()); files > 0) {
    const Handle type(check(H5Dget_type(dataset.id()), action), H5Tclose);
    const Index bytes = elements * narrow<Index>(H5Tget_size(type.id()));
    return check_external(dataset, creation.id(), files, bytes, action);
  }
  H5D_space_status_t status = H5D_SPACE_STATUS_ERROR;
  check(H5Dget_space_status(dataset.id(), &status), action);
  if (status == H5D_SPACE_STATUS_NOT_ALLOCATED) fail(action, "nothing was ever stored in it");
}

}  // namespace

void check_stored(const Handle& dataset, const Action& action) {
  check_stored_in(dataset, std::nullopt, action, 0);
}

}  // namespace dmoe::hdf5
