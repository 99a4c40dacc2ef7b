#include "hdf5/file.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <fcntl.h>
#include <filesystem>
#include <functional>
#include <sys/file.h>
#include <sys/mman.h>
#include <system_error>
#include <unistd.h>
#include <utility>

#include <hdf5.h>

#include "comm/mpi_library.hpp"
#include "comm/native.hpp"
#include "comm/together.hpp"
#include "comm/watchdog.hpp"
#include "core/error.hpp"
#include "core/free_memory.hpp"
#include "core/paths.hpp"

namespace dmoe::hdf5 {

namespace {

/// The communicator of every serial file.
const comm::Communicator& alone() {
  static const comm::Communicator twin = comm::Communicator::local();
  return twin;
}

/// Runs `body` on every rank; what throws on one throws on all. A rank that does not come is noticed.
void collectively(const comm::Communicator& communicator, std::string_view object,
                  const std::function<void()>& body, comm::Communicator::Place place) {
  const comm::WatchedOperation operation("a collective HDF5 operation");
  communicator.compare("HDF5's work on", object, place);
  comm::together(communicator, body, place);
}

/// Newest formats that HDF5 1.10 reads, none older than 1.8: object headers with checksums.
/// File locks where the file system has them. An object that we forgot to close makes closing the file fail.
Handle file_access(const Action& action) {
  constexpr std::size_t caches = 8 << 20;  // of a file, about 2; HDF5 crashes where it does not get them
  require_free_memory(caches);
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

/// Whether files there can be locked as HDF5 locks them: not on every NFS or Lustre. Local.
bool has_locks(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return true;  // and another reason for what did not go well
  const bool is_locked = ::flock(descriptor, LOCK_SH | LOCK_NB) == 0;
  const int problem = errno;
  ::close(descriptor);
  return is_locked || problem == EWOULDBLOCK || problem == EINTR;
}

/// `attempt` with this access; where it fails for want of locks, once more without them.
Id with_locks_if_there_are(const std::string& path, const Handle& access,
                           const std::function<Id(Id)>& attempt) {
  const Id id = attempt(access.id());
  if (id >= 0 || has_locks(path)) return id;
  check(H5Pset_file_locking(access.id(), false, true), {Verb::open, path});
  return attempt(access.id());
}

Handle create(const std::string& path, const Handle& access) {
  const Action action{Verb::create, path};
  const Handle creation = file_creation(action);
  const Id id = with_locks_if_there_are(
      path, access, [&](Id how) { return H5Fcreate(path.c_str(), H5F_ACC_TRUNC, creation.id(), how); });
  return {check(id, action), H5Fclose};
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
  const Id id =
      with_locks_if_there_are(path, access, [&](Id how) { return H5Fopen(path.c_str(), flags, how); });
  if (id < 0) {
    const std::string stack = error_stack();
    if (stack.starts_with("truncated file")) fail(action, "it is incomplete: " + stack);
    if (std::getenv("HDF5_USE_FILE_LOCKING") != nullptr &&
        stack.find("unable to lock") != std::string::npos)  // NOLINT
      fail(action, stack + "; HDF5_USE_FILE_LOCKING is set, FALSE would let it go without locks");
    fail(action, stack);
  }
  return {id, H5Fclose};
}

}  // namespace

File::File(std::string path, Handle handle, const comm::Communicator& communicator, bool writes)
    : path_(std::move(path)),
      handle_(std::move(handle)),
      writes_(writes),
      communicator_(&communicator),
      uncaught_at_birth_(std::uncaught_exceptions()) {}

File& File::operator=(File&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(handle_, other.handle_);
  std::swap(writes_, other.writes_);
  std::swap(communicator_, other.communicator_);
  std::swap(uncaught_at_birth_, other.uncaught_at_birth_);
  std::swap(reserved_bytes_, other.reserved_bytes_);
  std::swap(stored_, other.stored_);
  return *this;
}

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
  return {path.string(), create(path.string(), file_access({Verb::create, path.native()})), alone(), true};
}

File File::create_parallel(const std::filesystem::path& path, const comm::Communicator& communicator) {
  if (communicator.is_local()) return create_serial(path);
  const auto here = comm::Communicator::Place::current();
  collectively(
      communicator, path.native(),
      [&] {
        if (communicator.is_coordinator()) create_empty(path.string());
      },
      here);
  Handle handle;
  collectively(
      communicator, path.native(),
      [&] {
        const Action action{Verb::create, path.native()};
        const Handle access = file_access(action);
        const comm::FileHints hints;  // HDF5 keeps a copy
        check(H5Pset_fapl_mpio(access.id(), comm::native_of(communicator), hints.native()), action);
        const Handle creation = file_creation(action);
        handle = Handle(check(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, creation.id(), access.id()), action),
                        H5Fclose);
      },
      here);
  return {path.string(), std::move(handle), communicator, true};
}

File File::open_read(const std::filesystem::path& path) {
  return {path.string(), open(path.string(), H5F_ACC_RDONLY), alone(), false};
}

File File::open_read_write(const std::filesystem::path& path) {
  return {path.string(), open(path.string(), H5F_ACC_RDWR), alone(), true};
}

void File::together(std::string_view object, const std::function<void()>& body,
                    comm::Communicator::Place place) const {
  collectively(*communicator_, object, body, place);
}

// HDF5 does not survive that a disk is full: what it could not write stays in its caches, closing the file
// fails, and when the library ends, in MPI_Finalize at the latest, it stumbles over what is left. MPI-IO does
// not say why a write failed, and where it failed on some ranks only, the others may wait for them in HDF5
// for ever. So room is taken first, in the system's own words.
void File::reserve(Index bytes, std::string_view object) {
  if (!writes_) return;
  if (is_parallel()) {
    constexpr Index headers_and_indices = 1 << 20;  // generous, and given back when the file is closed
    reserved_bytes_ += bytes + headers_and_indices;
    together(object, [&] {
      if (communicator_->is_coordinator()) take_room(reserved_bytes_, doing(Verb::write, object));
    });
    return;
  }
  constexpr Index headers = 1 << 14;
  constexpr Index step = 1 << 18;  // so that not every attribute asks the file system
  hsize_t used = 0;                // of the whole file, what is in caches included
  check(H5Fget_filesize(handle_.id(), &used), doing(Verb::write, object));
  const Index needed = static_cast<Index>(used) + bytes + headers;
  if (needed <= reserved_bytes_) return;
  try {
    take_room(needed + step, doing(Verb::write, object));
    reserved_bytes_ = needed + step;
  } catch (const RunError&) {
    take_room(needed, doing(Verb::write, object));
    reserved_bytes_ = needed;
  }
}

void File::take_room(Index bytes, const Action& action) const {
  const int descriptor = ::open(path_.c_str(), O_WRONLY | O_CLOEXEC);
  if (descriptor < 0) fail(action, std::generic_category().message(errno));
  // HDF5 itself ends a serial file where its own bytes end.
  const int mode = is_parallel() ? 0 : FALLOC_FL_KEEP_SIZE;
  int error = 0;
  do {
    error = ::fallocate(descriptor, mode, 0, bytes) == 0 ? 0 : errno;
  } while (error == EINTR);
  ::close(descriptor);
  // Not every file system can: then the failed write itself has to tell.
  const bool cannot = error == EOPNOTSUPP || error == ENOSYS || error == EINVAL;
  if (error != 0 && !cannot) fail(action, std::generic_category().message(error));
}

void File::flush() {
  reserve(0, "");
  together(path_, [&] { check(H5Fflush(handle_.id(), H5F_SCOPE_GLOBAL), doing(Verb::write)); });
}

/// Closes a file that nobody wants any more and that has no room to be written: into memory. Serial files.
void File::abandon() {
  void* file = nullptr;
  const int memory = ::memfd_create("abandoned", MFD_CLOEXEC);
  if (memory >= 0 && H5Fget_vfd_handle(handle_.id(), H5P_DEFAULT, &file) >= 0)
    ::dup3(memory, *static_cast<const int*>(file), O_CLOEXEC);
  if (memory >= 0) ::close(memory);
  if (handle_.close() < 0) handle_.release();
}

void File::close() {
  if (writes_) {
    try {
      flush();
    } catch (...) {
      is_parallel() ? void(handle_.release()) : abandon();
      throw;
    }
  }
  together(path_, [&] { check(handle_.close(), doing(Verb::close)); });
  if (!writes_ || is_parallel()) return;
  std::error_code stays;  // room that was not needed, which then stays taken
  if (const auto bytes = std::filesystem::file_size(path_, stays); !stays)
    std::filesystem::resize_file(path_, bytes, stays);
}

}  // namespace dmoe::hdf5
