// Datasets of a File: whole ones, and slabs of rows that all ranks write together.
#include <algorithm>
#include <cassert>
#include <limits>

#include "hdf5/datatypes.hpp"
#include "hdf5/file.hpp"
#include "hdf5/storage.hpp"

namespace dmoe::hdf5 {

namespace {

/// The largest block of whole trailing axes that fits into 1 MiB, HDF5's default chunk cache.
Shape default_chunk(const Shape& shape, std::size_t element_bytes) {
  Index room = std::max(Index{1}, (Index{1} << 20) / static_cast<Index>(element_bytes));
  Shape chunk(shape.size(), 1);
  for (std::size_t axis = shape.size(); axis-- > 0;) {
    chunk[axis] = std::min(room, shape[axis]);
    room /= chunk[axis];
    if (chunk[axis] < shape[axis]) break;
  }
  return chunk;
}

/// Selects rows of a data space, or nothing.
void select_rows(Id space, const Shape& shape, Rows rows, const Action& action) {
  if (rows.count == 0) {
    check(H5Sselect_none(space), action);
    return;
  }
  std::vector<hsize_t> start(shape.size(), 0);
  std::vector<hsize_t> count(shape.begin(), shape.end());
  start[0] = narrow<hsize_t>(rows.first);
  count[0] = narrow<hsize_t>(rows.count);
  check(H5Sselect_hyperslab(space, H5S_SELECT_SET, start.data(), nullptr, count.data(), nullptr), action);
}

/// The data space in memory of values that fill `shape` of a file. In the same shape: from another HDF5
/// finds the place of every single element, which in chunks of few takes longer than all the rest.
Handle memory_space_of(const Shape& shape, Index stride, const Action& action) {
  const Index count = element_count(shape);
  if (count == 0) return space_of({0}, action);
  if (stride == 1 || count == 1) return space_of(shape, action);
  Handle space = space_of({(count - 1) * stride + 1}, action);
  const hsize_t start = 0;
  const auto step = narrow<hsize_t>(stride);
  const auto times = narrow<hsize_t>(count);
  check(H5Sselect_hyperslab(space.id(), H5S_SELECT_SET, &start, &step, &times, nullptr), action);
  return space;
}

/// Rows of a dataset of that shape; of a scalar itself.
Shape shape_of_rows(Shape shape, Index rows) {
  if (!shape.empty()) shape.front() = rows;
  return shape;
}

Handle transfer_properties(bool is_parallel, const Action& action) {
  Handle transfer(check(H5Pcreate(H5P_DATASET_XFER), action), H5Pclose);
  if (is_parallel) {
    check(H5Pset_dxpl_mpio(transfer.id(), H5FD_MPIO_COLLECTIVE), action);
    // A chunk that several ranks share is read before it is written: the first time there is nothing to
    // check.
    check(H5Pset_edc_check(transfer.id(), H5Z_DISABLE_EDC), action);
  }
  return transfer;
}

/// The properties of a read that notes which filter failed: HDF5 1.14 keeps that out of its error stack,
/// though it is what tells a damaged file from all else.
class Reading {
 public:
  explicit Reading(const Action& action)
      : transfer_(hdf5::check(H5Pcreate(H5P_DATASET_XFER), action), H5Pclose) {
    hdf5::check(H5Pset_filter_callback(transfer_.id(), note, &failed_), action);
  }
  Reading(const Reading&) = delete;
  Reading& operator=(const Reading&) = delete;
  Id properties() const { return transfer_.id(); }
  /// A value that does not fit ends the read, where HDF5 would take the nearest that does.
  void refuse_overflow(const Action& action) {
    hdf5::check(H5Pset_type_conv_cb(transfer_.id(), note_overflow, &overflowed_), action);
  }

  /// hdf5::check of what H5Dread returned, with the filter in the message.
  void check(herr_t result, const Action& action) const {
    constexpr const char* cause = "data error detected by Fletcher32 checksum";
    if (result < 0 && failed_ == H5Z_FILTER_FLETCHER32) {
      const std::string stack = error_stack();
      fail(action, stack.find(cause) == std::string::npos ? fmt::format("{}; {}", cause, stack) : stack);
    }
    if (result < 0 && overflowed_)
      fail(action, fmt::format("a value is above {}", std::numeric_limits<std::int64_t>::max()));
    hdf5::check(result, action);
  }

 private:
  static H5Z_cb_return_t note(H5Z_filter_t filter, void* /*buffer*/, std::size_t /*bytes*/, void* failed) {
    *static_cast<H5Z_filter_t*>(failed) = filter;
    return H5Z_CB_FAIL;
  }
  static H5T_conv_ret_t note_overflow(H5T_conv_except_t /*problem*/, Id /*from*/, Id /*to*/, void* /*value*/,
                                      void* /*result*/, void* overflowed) {
    *static_cast<bool*>(overflowed) = true;
    return H5T_CONV_ABORT;
  }
  H5Z_filter_t failed_ = H5Z_FILTER_NONE;
  bool overflowed_ = false;
  Handle transfer_;
};

}  // namespace

Handle File::open_dataset(const std::string& path, Verb verb) const {
  Handle object = open_object(path, verb);
  if (H5Iget_type(object.id()) != H5I_DATASET) fail(doing(verb, path), "it is a group, expected a dataset");
  return object;
}

Handle File::make_dataset(const std::string& path, Id type, const Shape& shape, const Shape& chunk,
                          const Annotation& annotation) {
  assert(annotation.dimensions.size() == shape.size());
  const Action action = doing(Verb::create, path);
  make_group(path.substr(0, path.find_last_of('/')));
  const Handle space = space_of(shape, action);
  const Handle creation(check(H5Pcreate(H5P_DATASET_CREATE), action), H5Pclose);
  check(H5Pset_attr_creation_order(creation.id(), H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED), action);
  if (!shape.empty() && element_count(shape) > 0) {
    const Shape used = chunk.empty() ? default_chunk(shape, H5Tget_size(type)) : chunk;
    const std::vector<hsize_t> extents(used.begin(), used.end());
    check(H5Pset_chunk(creation.id(), narrow<int>(extents.size()), extents.data()), action);
    check(H5Pset_fletcher32(creation.id()), action);
    // Every row gets written: filling the chunks before, as parallel HDF5 does, would write everything twice.
    if (is_parallel()) check(H5Pset_fill_time(creation.id(), H5D_FILL_TIME_NEVER), action);
  }
  Handle dataset(
      check(H5Dcreate2(handle_.id(), path.c_str(), type, space.id(), H5P_DEFAULT, creation.id(), H5P_DEFAULT),
            action),
      H5Dclose);
  put_attribute(dataset.id(), path, "units", annotation.units);
  put_attribute(dataset.id(), path, "dimensions", annotation.dimensions);
  return dataset;
}

void File::write_whole(const std::string& path, Id file_type, Id memory_type, const void* data, Index stride,
                       const Shape& shape, const Annotation& annotation) {
  constexpr Index bytes_a_checksum =
      64;  // of the chunks that default_chunk() makes, and their index: at most one in so many
  const Index bytes = element_count(shape) * static_cast<Index>(H5Tget_size(file_type));
  reserve(bytes + bytes / bytes_a_checksum, path);
  Handle dataset;
  together(path, [&] { dataset = make_dataset(path, file_type, shape, {}, annotation); });
  together(path, [&] {
    const Action action = doing(Verb::write, path);
    const Handle space = space_of(shape, action);
    const Handle memory = memory_space_of(shape, stride, action);
    for (const Handle* const which : {&space, &memory})
      if (!communicator_->is_coordinator()) check(H5Sselect_none(which->id()), action);
    const Handle transfer = transfer_properties(is_parallel(), action);
    if (element_count(shape) > 0) {
      check(H5Dwrite(dataset.id(), memory_type, memory.id(), space.id(), transfer.id(), data), action);
    }
    // Here, since a full disk may show only when the last chunks leave the cache.
    check(dataset.close(), action);
  });
}

void File::write(const std::string& path, Values values, const Shape& shape, const Annotation& annotation) {
  assert(values.count == element_count(shape));
  write_whole(path, file_type(values.element), memory_type(values.element), values.data, values.stride, shape,
              annotation);
}

void File::write(const std::string& path, std::span<const std::string> texts, const Annotation& annotation) {
  std::size_t bytes = 1;
  for (const std::string& text : texts) bytes = std::max(bytes, text.size());
  std::string all;
  for (const std::string& text : texts) all += text + std::string(bytes - text.size(), '\0');
  const Handle type = text_type(bytes, doing(Verb::write, path));
  write_whole(path, type.id(), type.id(), all.data(), 1, {static_cast<Index>(texts.size())}, annotation);
}

void File::write_text(const std::string& path, const std::string& text, const std::string& units) {
  const Handle type = text_type(std::max(text.size(), std::size_t{1}), doing(Verb::write, path));
  write_whole(path, type.id(), type.id(), text.c_str(), 1, {}, {units, {}});
}

void File::create_dataset(const std::string& path, const DatasetSpec& spec) {
  const hid_t type = file_type(spec.element);
  // Of a serial file the rows have room only when they come.
  reserve(is_parallel() ? element_count(spec.shape) * static_cast<Index>(H5Tget_size(type)) : 0, path);
  together(path, [&] { make_dataset(path, type, spec.shape, spec.chunk, spec.annotation); });
}

void File::write_slab(const std::string& path, Rows rows, Values values) {
  const Action action = doing(Verb::write, path);
  constexpr Index of_a_chunk = 64;  // its checksum and its place in the index; no row has more than one
  if (!is_parallel())
    reserve(
        values.count * static_cast<Index>(H5Tget_size(file_type(values.element))) + rows.count * of_a_chunk,
        path);
  Handle dataset;
  Handle file_space;
  Handle memory_space;
  together(path, [&] {
    dataset = open_dataset(path, Verb::write);
    file_space = Handle(check(H5Dget_space(dataset.id()), action), H5Sclose);
    const Shape shape = shape_of(file_space.id(), action);
    assert(!shape.empty() && rows.first >= 0 && rows.count >= 0 && rows.first + rows.count <= shape[0]);
    assert(values.count * shape[0] == element_count(shape) * rows.count);
    select_rows(file_space.id(), shape, rows, action);
    memory_space = memory_space_of(shape_of_rows(shape, rows.count), values.stride, action);
  });
  together(path, [&] {
    const Handle transfer = transfer_properties(is_parallel(), action);
    constexpr char nothing = 0;
    check(H5Dwrite(dataset.id(), memory_type(values.element), memory_space.id(), file_space.id(),
                   transfer.id(), values.count > 0 ? values.data : &nothing),
          action);
    check(dataset.close(), action);
  });
}

DatasetInfo File::info(const std::string& dataset) const {
  const Action action = doing(Verb::read, dataset);
  const Handle opened = open_dataset(dataset, Verb::read);
  const Handle type(check(H5Dget_type(opened.id()), action), H5Tclose);
  const Handle space(check(H5Dget_space(opened.id()), action), H5Sclose);
  const Handle creation(check(H5Dget_create_plist(opened.id()), action), H5Pclose);
  DatasetInfo result{type_name(type.id()), shape_of(space.id(), action), {}, false};
  if (H5Pget_layout(creation.id()) != H5D_CHUNKED) return result;
  std::vector<hsize_t> chunk(result.shape.size());
  check(H5Pget_chunk(creation.id(), narrow<int>(chunk.size()), chunk.data()), action);
  result.chunk.assign(chunk.begin(), chunk.end());
  for (int i = 0; i < H5Pget_nfilters(creation.id()); ++i) {
    unsigned flags = 0;
    std::size_t values = 0;
    result.has_checksum |= H5Pget_filter2(creation.id(), static_cast<unsigned>(i), &flags, &values, nullptr,
                                          0, nullptr, nullptr) == H5Z_FILTER_FLETCHER32;
  }
  return result;
}

void File::check_stored(const std::string& path) const {
  ensure_stored(path, open_dataset(path, Verb::read));
}

void File::ensure_stored(const std::string& path, const Handle& dataset) const {
  if (stored_.contains(path)) return;
  hdf5::check_stored(dataset, doing(Verb::read, path));
  stored_.insert(path);
}

void File::check_shape(const std::string& path, const Shape& expected) const {
  const Shape found = shape(path);
  const bool matches = std::equal(found.begin(), found.end(), expected.begin(), expected.end(),
                                  [](Index is, Index wanted) { return wanted == any || is == wanted; });
  if (matches) return;
  fail(doing(Verb::read, path),
       fmt::format("its shape is {}, expected {}", to_text(found), to_text(expected)));
}

void File::read_all(const std::string& path, Element element, void* into) const {
  const Shape all = shape(path);
  read_rows(path, element, {0, all.empty() ? 1 : all[0]}, into, element_count(all));
}

bool File::fits(const std::string& path, Element element) const {
  const Handle dataset = open_dataset(path, Verb::read);
  const Handle type(check(H5Dget_type(dataset.id()), doing(Verb::read, path)), H5Tclose);
  return fits_without_loss(type.id(), element);
}

void File::read_rows(const std::string& path, Element element, Rows rows, void* into, Index count) const {
  const Action action = doing(Verb::read, path);
  const Handle dataset = open_dataset(path, Verb::read);
  const Handle type(check(H5Dget_type(dataset.id()), action), H5Tclose);
  const bool overflows = may_overflow(type.id(), element);
  if (!overflows && !fits_without_loss(type.id(), element)) {
    fail(action, fmt::format("its elements are {}, expected {}", type_name(type.id()),
                             type_name(memory_type(element))));
  }
  const Handle file_space(check(H5Dget_space(dataset.id()), action), H5Sclose);
  const Shape shape = shape_of(file_space.id(), action);
  const Index row_count = shape.empty() ? 1 : shape[0];
  if (rows.first < 0 || rows.count < 0 || rows.count > row_count || rows.first > row_count - rows.count) {
    fail(action, fmt::format("it has {} rows, expected rows {} to {}", row_count, rows.first,
                             rows.first + rows.count - 1));
  }
  assert(count * row_count == element_count(shape) * rows.count);
  if (count == 0) return;
  ensure_stored(path, dataset);
  if (!shape.empty()) select_rows(file_space.id(), shape, rows, action);
  const Handle memory_space = memory_space_of(shape_of_rows(shape, rows.count), 1, action);
  Reading reading(action);
  if (overflows) reading.refuse_overflow(action);
  reading.check(H5Dread(dataset.id(), memory_type(element), memory_space.id(), file_space.id(),
                        reading.properties(), into),
                action);
}

std::vector<std::string> File::take_texts(const std::string& path, const Handle& dataset) const {
  const Action action = doing(Verb::read, path);
  const Handle type(check(H5Dget_type(dataset.id()), action), H5Tclose);
  if (H5Tget_class(type.id()) != H5T_STRING) {
    fail(action, fmt::format("its elements are {}, expected text", type_name(type.id())));
  }
  const Handle space(check(H5Dget_space(dataset.id()), action), H5Sclose);
  ensure_stored(path, dataset);
  const Reading reading(action);
  return read_strings(type.id(), space.id(), action, [&](hid_t memory, void* into) {
    const herr_t result = H5Dread(dataset.id(), memory, H5S_ALL, H5S_ALL, reading.properties(), into);
    reading.check(result, action);
    return result;
  });
}

std::vector<std::string> File::read_texts(const std::string& path) const {
  return take_texts(path, open_dataset(path, Verb::read));
}

std::string File::read_text(const std::string& path) const {
  check_shape(path, {});
  return read_texts(path).front();
}

}  // namespace dmoe::hdf5
