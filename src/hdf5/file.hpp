// An HDF5 file: groups, attributes and datasets by path, written by one rank or by all of them together.
//
//   auto file = hdf5::File::create_serial("run.h5");
//   file.write_attribute("/", "format", "dmoe-run");
//   file.write("/train/loss", losses, {rows}, {"nats", {"interval"}});        // groups appear as needed
//   auto again = hdf5::File::open_read("run.h5");
//   std::vector<float> loss = again.read<float>("/train/loss", {hdf5::any});  // type and shape are checked
//
// Paths are absolute ("/train/loss"). Every dataset carries the attributes `units` and `dimensions`; those
// with at least one element and one axis are chunked with Fletcher32, so that a damaged byte is an error on
// reading. Strings are UTF-8: variable-length in attributes, fixed-length in datasets (parallel HDF5 cannot
// write others).
//
// "Local or collective": local on a serial file; on a parallel one collective over its communicator, with the
// same arguments on every rank (write_slab's rows and values aside), and what fails on one rank throws on
// all. Reading functions throw InputError, writing ones RunError, both with file, object and reason.
#pragma once

#include <filesystem>
#include <functional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "comm/communicator.hpp"
#include "hdf5/handle.hpp"
#include "hdf5/values.hpp"

namespace dmoe::hdf5 {

/// An open file, or one that was closed. A parallel file is closed collectively; while an exception unwinds
/// it is left open instead, since the other ranks may not come along.
class File {
 public:
  enum class Kind { group, dataset };

  /// A new file, in place of an old one. Local.
  static File create_serial(const std::filesystem::path& path);
  /// The same, written by all ranks through MPI-IO; on a local communicator a serial file. The communicator
  /// must outlive the file. Collective.
  static File create_parallel(const std::filesystem::path& path, const comm::Communicator& communicator);
  /// InputError where the file is missing, foreign, truncated or damaged. Local: any number of ranks may
  /// read.
  static File open_read(const std::filesystem::path& path);
  static File open_read_write(const std::filesystem::path& path);

  File(File&&) noexcept = default;
  /// What this was goes with the other.
  File& operator=(File&& other) noexcept;
  /// Closes silently; what must not fail unseen is closed before. Local or collective.
  ~File();

  const std::string& path() const { return path_; }
  /// Written through MPI by the ranks of a communicator.
  bool is_parallel() const { return !communicator_->is_local(); }

  /// Hands everything to the operating system (a parallel file: to the disk). Local or collective.
  void flush();
  /// The end that reports errors. Local or collective.
  void close();

  // Groups (group.cpp).
  // ---------------------------------------------------------------------------------------
  /// Makes the group and those above it, as far as they are missing. Local or collective.
  void create_group(const std::string& path);
  /// Deletes an object with all below it. Local or collective.
  void remove(const std::string& path);
  bool exists(const std::string& path) const;
  Kind kind(const std::string& path) const;
  /// Names in the order of creation (of files not ours: by name). Local.
  std::vector<std::string> children(const std::string& group) const;

  // Attributes of groups and datasets (attribute.cpp).
  // ---------------------------------------------------------
  /// Writes or replaces; integers as int64, floats as double. Local or collective.
  void write_attribute(const std::string& object, const std::string& name, const AttributeValue& value);
  bool has_attribute(const std::string& object, const std::string& name) const;
  /// T is one of AttributeValue's types; InputError where the attribute is missing or of another type. Local.
  template <class T>
  T read_attribute(const std::string& object, const std::string& name) const;
  /// All of them, in the order of creation. Local.
  Attributes attributes(const std::string& object) const;

  // Datasets (dataset.cpp).
  // ------------------------------------------------------------------------------------
  /// Writes a whole new dataset; of a parallel file the coordinator's values count. Local or collective.
  void write(const std::string& path, Values values, const Shape& shape, const Annotation& annotation);
  void write(const std::string& path, std::span<const std::string> texts, const Annotation& annotation);
  /// A scalar string. Local or collective.
  void write_text(const std::string& path, const std::string& text, const std::string& units = "text");
  /// Makes a dataset to be filled by write_slab(). Local or collective.
  void create_dataset(const std::string& path, const DatasetSpec& spec);
  /// Writes some rows, on a parallel file every rank its own, none included, in one collective transfer.
  /// Local or collective.
  void write_slab(const std::string& path, Rows rows, Values values);

  DatasetInfo info(const std::string& dataset) const;
  /// InputError where a value of the dataset was never stored, which HDF5 reads as zero; every read below
  /// asks first. Local.
  void check_stored(const std::string& path) const;
  Shape shape(const std::string& dataset) const { return info(dataset).shape; }
  /// Whether the elements of a dataset fit into T without loss. Local.
  template <Stored T>
  bool fits(const std::string& dataset) const {
    return fits(dataset, element_of<T>());
  }
  /// A whole dataset. InputError where the elements do not fit into T without loss, or the shape is another
  /// than `expected`. Local.
  template <Stored T>
  std::vector<T> read(const std::string& path) const;
  template <Stored T>
  std::vector<T> read(const std::string& path, const Shape& expected) const;
  /// Rows of a dataset of at least one axis. InputError where they are not all there. Local.
  template <Stored T>
  std::vector<T> read_slab(const std::string& path, Rows rows) const;
  /// The same into a buffer of exactly that size (asserted). Local.
  template <Stored T>
  void read_slab(const std::string& path, Rows rows, std::span<T> into) const;
  /// A scalar string; all strings of an array. Local.
  std::string read_text(const std::string& path) const;
  std::vector<std::string> read_texts(const std::string& path) const;

 private:
  File(std::string path, Handle handle, const comm::Communicator& communicator, bool writes);
  Action doing(Verb verb, std::string_view object = "") const { return {verb, path_, object}; }
  /// comm::together of a parallel file's ranks, all of them on the same object.
  void together(std::string_view object, const std::function<void()>& body,
                comm::Communicator::Place place = comm::Communicator::Place::current()) const;
  /// Takes room on the disk for `bytes` more and their headers, before HDF5 writes them. Throws RunError.
  /// Local or collective.
  void reserve(Index bytes, std::string_view object);
  void take_room(Index bytes, const Action& action) const;
  void abandon();
  Handle open_object(const std::string& object, Verb verb) const;
  /// check_stored, once for each dataset.
  void ensure_stored(const std::string& path, const Handle& dataset) const;
  Handle open_dataset(const std::string& path, Verb verb) const;
  void make_group(const std::string& path);
  void put_attribute(Id object, const std::string& path, const std::string& name,
                     const AttributeValue& value);
  AttributeValue take_attribute(const std::string& object, const std::string& name) const;
  Handle make_dataset(const std::string& path, Id type, const Shape& shape, const Shape& chunk,
                      const Annotation& annotation);
  void write_whole(const std::string& path, Id file_type, Id memory_type, const void* data, Index stride,
                   const Shape& shape, const Annotation& annotation);
  std::vector<std::string> take_texts(const std::string& path, const Handle& dataset) const;
  void check_shape(const std::string& path, const Shape& expected) const;
  bool fits(const std::string& path, Element element) const;
  void read_rows(const std::string& path, Element element, Rows rows, void* into, Index count) const;
  void read_all(const std::string& path, Element element, void* into) const;

  std::string path_;
  Handle handle_;
  bool writes_;
  const comm::Communicator* communicator_;
  int uncaught_at_birth_;
  Index reserved_bytes_ = 0;              // from the file's start
  mutable std::set<std::string> stored_;  // datasets whose values are known to be there
};

template <Stored T>
std::vector<T> File::read(const std::string& path) const {
  std::vector<T> values(size(element_count(shape(path))));
  read_all(path, element_of<T>(), values.data());
  return values;
}

template <Stored T>
std::vector<T> File::read(const std::string& path, const Shape& expected) const {
  check_shape(path, expected);
  return read<T>(path);
}

template <Stored T>
void File::read_slab(const std::string& path, Rows rows, std::span<T> into) const {
  read_rows(path, element_of<T>(), rows, into.data(), static_cast<Index>(into.size()));
}

template <Stored T>
std::vector<T> File::read_slab(const std::string& path, Rows rows) const {
  Shape part = shape(path);
  if (!part.empty()) part.front() = rows.count;
  std::vector<T> values(size(element_count(part)));
  read_slab<T>(path, rows, values);
  return values;
}

}  // namespace dmoe::hdf5
