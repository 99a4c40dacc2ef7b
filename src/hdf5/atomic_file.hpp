// A file that appears complete or not at all: written aside, flushed to the disk, renamed.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>

#include "comm/communicator.hpp"
#include "hdf5/file.hpp"

namespace dmoe::hdf5 {

/// A new file under a name of its own beside `path` (".model.h5.partial-node7-4711") until commit() gives it
/// the final name; whoever opens `path` meanwhile finds the old file, untouched. Destroyed without commit,
/// the temporary is removed. With a communicator all ranks make, write, commit and destroy it together.
class AtomicFile {
 public:
  enum class Start { empty, copy };

  /// Written by this rank alone, from nothing or from a copy of the file at `path`. Local.
  explicit AtomicFile(const std::filesystem::path& path, Start start = Start::empty);
  /// Written by all ranks; the communicator must outlive it. Collective.
  AtomicFile(const std::filesystem::path& path, const comm::Communicator& communicator);
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  ~AtomicFile();

  File& operator*() { return *file_; }
  File* operator->() { return &*file_; }
  const std::filesystem::path& temporary_path() const { return temporary_path_; }

  /// Closes the file and renames it once it is on the disk. Throws RunError on every rank where a step
  /// failed; up to the rename the old file stays. Local or collective, as it was made.
  void commit() { commit({}); }
  /// The same, after `complete` has added what the coordinator alone knows; nobody else calls it.
  void commit(const std::function<void(File&)>& complete);

 private:
  std::filesystem::path path_;
  const comm::Communicator* communicator_;  // null where one rank writes alone
  std::filesystem::path temporary_path_;
  std::optional<File> file_;
  bool is_committed_ = false;
};

/// Removes the temporaries that killed writers left in a folder, if there is one. For the start of a run,
/// when nobody else writes there. Local.
void remove_abandoned(const std::filesystem::path& folder);

}  // namespace dmoe::hdf5
