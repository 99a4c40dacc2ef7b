// One job at a time in a folder.
#pragma once

#include <string>

namespace dmoe::run {

/// A lock that the operating system holds, on the file .lock in a folder: it ends with the process, however
/// that ends, and file systems shared by nodes pass it on.
class FolderLock {
 public:
  /// Throws InputError where another process holds it (it says which: host, pid, job), or where the file
  /// cannot be written. Local.
  explicit FolderLock(const std::string& folder);
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

  /// Empty, or why nothing is locked: the file system has no locks.
  const std::string& warning() const { return warning_; }

 private:
  int file_ = -1;
  std::string warning_;
};

}  // namespace dmoe::run
