#include "run/folder_lock.hpp"

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <unistd.h>

#include <fmt/format.h>

#include "core/error.hpp"
#include "core/text_file.hpp"

namespace dmoe::run {

namespace {

/// "host node7, pid 4711, SLURM job 12"
std::string this_process() {
  std::array<char, 256> host{};
  gethostname(host.data(), host.size() - 1);
  std::string text = fmt::format("host {}, pid {}", host.data(), getpid());
  if (const char* job = std::getenv("SLURM_JOB_ID")) text += fmt::format(", SLURM job {}", job);  // NOLINT
  return text;
}

}  // namespace

FolderLock::FolderLock(const std::string& folder) {
  const std::string path = (std::filesystem::path(folder) / ".lock").string();
  file_ = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (file_ < 0) throw InputError("cannot write into it: {}", std::strerror(errno));
  struct flock whole = {};
  whole.l_type = F_WRLCK;
  whole.l_whence = SEEK_SET;
  if (fcntl(file_, F_OFD_SETLK, &whole) != 0) {
    const int problem = errno;
    if (problem == EACCES || problem == EAGAIN) {
      close(file_);
      std::string holder = read_text_file(path, "the lock");
      holder.erase(holder.find_last_not_of('\n') + 1);
      throw InputError("another dmoe is at work there: {}", holder.empty() ? "unknown" : holder);
    }
    warning_ = fmt::format(
        "warning: {} cannot be locked ({}), nor can the HDF5 files beside it: see to it that no "
        "other job writes there",
        path, std::strerror(problem));
  }
  const std::string text = this_process() + "\n";
  const bool is_written = ftruncate(file_, 0) == 0 && write(file_, text.data(), text.size()) >= 0;
  if (!is_written && warning_.empty())
    warning_ = fmt::format("warning: {} cannot be written: {}", path, std::strerror(errno));
}

FolderLock::~FolderLock() {
  close(file_);
}

}  // namespace dmoe::run
