#include "hdf5/file.hpp"

#include <cerrno>
#include <cstring>
#include <exception>
#include <fcntl.h>
#include <system_error>
#include <unistd.h>
#include <utility>

#include <hdf5.h>

#include "comm/session.hpp"
#include "comm/watchdog.hpp"
#include "core/error.hpp"
#include "core/paths.hpp"

namespace dmoe::hdf5 {

namespace {

/// The communicator of every serial file.
const comm::Communicator& alone() {
  static const comm::Communicator twin = comm::Communicator::local();
  return twin;
}

/// Runs `body` on every rank; what throws on one throws on all. A rank that does not come is noticed.
void collectively(const comm::Communicator& communicator, const std::function<void()>& body) {
  const comm::WatchedOperation operation("a collective HDF5 operation");
  comm::together(communicator, body);
}

/// Newest formats that HDF5 1.10 reads, none older than 1.8: object headers with checksums.
/// File locks where the file system has them. An object that we forgot to close makes closing the file fail.
Handle file_access(const Action& action) {
  prepare_library();
  Handle access(check(H5Pcreate(H5P_FILE_ACCESS), action), H5Pclose);
  check(H5Pset_libver_bounds(access.id(), H5F_LIBVER_V18, H5F_LIBVER_LATEST), action);
  check(H5Pset_file_locking(access.id(), true, true), action);
  check(H5Pset_fclose_degree(access.id(), H5F_CLOSE_SEMI), action);
  return access;
}

/// The root group remembers the order of its children and attributes, as group.cpp makes the others do.
Handle file_creation(const Action& action) {
  Handle creation(check(H5Pcreate(H5P_FILE_CREATE), action), H5Pclose);
  check(H5Pset_link_creation_order(creation.id(), H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED), action);
  check(H5Pset_attr_creation_order(creation.id(), H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED), action);
  return creation;
}

Handle create(const std::string& path, const Handle& access) {
  const Action action{Verb::create, path};
  const Handle creation = file_creation(action);
  return {check(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, creation.id(), access.id()), action), H5Fclose};
}

/// Says in the system's words why a file cannot be created, which MPI-IO does not. Leaves an empty file.
/// Local.
void create_empty(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0666);
  if (descriptor < 0) fail({Verb::create, path}, std::generic_category().message(errno));
  ::close(descriptor);
}

Handle open(const std::string& path, unsigned flags) {
  const Action action{Verb::open, path};
  const Handle access = file_access(action);
  if (!path_exists(path)) fail(action, "no such file");
  if (const std::string other = other_than_file(path); !other.empty())
    fail(action, fmt::format("it is {}, expected an HDF5 file", other));
  if (check(H5Fis_hdf5(path.c_str()), action) == 0) fail(action, "it is not an HDF5 file");
  const hid_t id = H5Fopen(path.c_str(), flags, access.id());
  if (id < 0) {
    const std::string stack = error_stack();
    if (stack.starts_with("truncated file")) fail(action, "it is incomplete: " + stack);
    fail(action, stack);
  }
  return {id, H5Fclose};
}

}  // namespace

File::File(std::string path, Handle handle, const comm::Communicator& communicator)
    : path_(std::move(path)),
      handle_(std::move(handle)),
      communicator_(&communicator),
      uncaught_at_birth_(std::uncaught_exceptions()) {}

File::~File() {
  if (!handle_.is_open()) return;
  if (is_parallel() && std::uncaught_exceptions() > uncaught_at_birth_) {
    handle_.release();
    return;
  }
  try {
    close();
  } catch (const std::exception&) {  // nobody asked
  }
}

File File::create_serial(const std::filesystem::path& path) {
  return {path.string(), create(path.string(), file_access({Verb::create, path.native()})), alone()};
}

File File::create_parallel(const std::filesystem::path& path, const comm::Communicator& communicator) {
  if (communicator.is_local()) return create_serial(path);
  collectively(communicator, [&] {
    if (communicator.is_coordinator()) create_empty(path.string());
  });
  Handle handle;
  collectively(communicator, [&] {
    const Action action{Verb::create, path.native()};
    const Handle access = file_access(action);
    check(H5Pset_fapl_mpio(access.id(), communicator.native(), MPI_INFO_NULL), action);
    handle = create(path.string(), access);
  });
  return {path.string(), std::move(handle), communicator};
}

File File::open_read(const std::filesystem::path& path) {
  return {path.string(), open(path.string(), H5F_ACC_RDONLY), alone()};
}

File File::open_read_write(const std::filesystem::path& path) {
  return {path.string(), open(path.string(), H5F_ACC_RDWR), alone()};
}

void File::together(const std::function<void()>& body) const {
  collectively(*communicator_, body);
}

void File::reserve(Index bytes, std::string_view dataset) {
  if (!is_parallel()) return;
  constexpr Index headers_and_indices = 1 << 20;  // generous, and given back when the file is closed
  reserved_bytes_ += bytes + headers_and_indices;
  together([&] {
    if (!communicator_->is_coordinator()) return;
    const Action action = doing(Verb::write, dataset);
    const int descriptor = ::open(path_.c_str(), O_WRONLY | O_CLOEXEC);
    if (descriptor < 0) fail(action, std::generic_category().message(errno));
    const int error = ::fallocate(descriptor, 0, 0, reserved_bytes_) == 0 ? 0 : errno;
    ::close(descriptor);
    // Not every file system can: then the failed write itself has to tell.
    if (error != 0 && error != EOPNOTSUPP) fail(action, std::generic_category().message(error));
  });
}

void File::flush() {
  together([&] { check(H5Fflush(handle_.id(), H5F_SCOPE_GLOBAL), doing(Verb::write)); });
}

void File::close() {
  try {
    flush();
  } catch (...) {
    handle_.release();
    throw;
  }
  together([&] { check(handle_.close(), doing(Verb::close)); });
}

}  // namespace dmoe::hdf5
