#include "hdf5/atomic_file.hpp"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <functional>
#include <string>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

#include <fmt/format.h>

#include "comm/together.hpp"

namespace dmoe::hdf5 {

namespace {

std::filesystem::path folder_of(const std::filesystem::path& path) {
  return path.has_parent_path() ? path.parent_path() : ".";
}

constexpr const char* temporary_mark = ".partial-";

/// Unique among the processes of all hosts; the coordinator's on every rank. Local or collective.
std::filesystem::path temporary_for(const std::filesystem::path& path,
                                    const comm::Communicator* communicator) {
  std::array<char, 256> host{};
  ::gethostname(host.data(), host.size() - 1);
  std::string name =
      fmt::format(".{}{}{}-{}", path.filename().string(), temporary_mark, host.data(), ::getpid());
  if (communicator != nullptr) communicator->broadcast(name);
  return folder_of(path) / name;
}

[[noreturn]] void fail_with_errno(const std::filesystem::path& path) {
  fail({Verb::write, path.native()}, std::generic_category().message(errno));
}

/// Throws RunError, in the words of the system where the disk is full, for which std::filesystem::copy_file
/// has others.
void duplicate(const std::filesystem::path& from, const std::filesystem::path& to) {
  const int source = ::open(from.c_str(), O_RDONLY | O_CLOEXEC);
  const int copy = source < 0 ? -1 : ::open(to.c_str(), O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0600);
  struct stat about = {};
  ssize_t copied = copy < 0 || ::fstat(source, &about) != 0 || ::fchmod(copy, about.st_mode) != 0 ? -1 : 1;
  while (copied > 0 || (copied < 0 && copy >= 0 && errno == EINTR))
    copied = ::sendfile(copy, source, nullptr, std::size_t{1} << 30);
  const int problem = errno;
  ::close(source);
  ::close(copy);
  if (copied == 0) return;
  std::error_code error(problem, std::generic_category());
  const bool cannot = problem == EINVAL || problem == ENOSYS;  // a file system without sendfile
  if (cannot) std::filesystem::copy_file(from, to, std::filesystem::copy_options::overwrite_existing, error);
  if (!cannot || error) fail({Verb::create, to.native()}, error.message());
}

/// Returns when a file's bytes, or a folder's names, are on the disk.
void sync(const std::filesystem::path& path, int flags) {
  const int descriptor = ::open(path.c_str(), flags | O_CLOEXEC);
  if (descriptor < 0) fail_with_errno(path);
  const int result = ::fsync(descriptor);
  const int error = errno;
  ::close(descriptor);
  errno = error;
  // Some network file systems cannot sync a folder, and say so: there the rename is as safe as it gets.
  if (result != 0 && errno != EINVAL) fail_with_errno(path);
}

}  // namespace

AtomicFile::AtomicFile(const std::filesystem::path& path, Start start)
    : path_(path), communicator_(nullptr), temporary_path_(temporary_for(path, nullptr)) {
  if (start == Start::empty) {
    file_ = File::create_serial(temporary_path_);
    return;
  }
  try {
    duplicate(path_, temporary_path_);
    file_ = File::open_read_write(temporary_path_);
  } catch (...) {  // the destructor of a half-made object does not run
    std::error_code ignored;
    std::filesystem::remove(temporary_path_, ignored);
    throw;
  }
}

AtomicFile::AtomicFile(const std::filesystem::path& path, const comm::Communicator& communicator)
    : path_(path),
      communicator_(&communicator),
      temporary_path_(temporary_for(path, &communicator)),
      file_(File::create_parallel(temporary_path_, communicator)) {}

AtomicFile::~AtomicFile() {
  file_.reset();
  if (is_committed_ || (communicator_ != nullptr && !communicator_->is_coordinator())) return;
  // Emptied first: a file that could not be closed would hold its room on the disk until the process ends.
  std::error_code ignored;
  std::filesystem::resize_file(temporary_path_, 0, ignored);
  std::filesystem::remove(temporary_path_, ignored);
}

void AtomicFile::commit(const std::function<void(File&)>& complete) {
  file_->close();
  const auto publish = [&] {
    if (complete) {
      File file = File::open_read_write(temporary_path_);
      complete(file);
      file.close();
    }
    sync(temporary_path_, O_RDONLY);
    if (::rename(temporary_path_.c_str(), path_.c_str()) != 0) fail_with_errno(path_);
    is_committed_ = true;
    sync(folder_of(path_), O_RDONLY | O_DIRECTORY);
  };
  if (communicator_ == nullptr) return publish();
  comm::together(*communicator_, [&] {
    if (communicator_->is_coordinator()) publish();
  });
}

void remove_abandoned(const std::filesystem::path& folder) {
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(folder, ignored)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with('.') && name.find(temporary_mark) != std::string::npos)
      std::filesystem::remove(entry.path(), ignored);
  }
}

}  // namespace dmoe::hdf5
