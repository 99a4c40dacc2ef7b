// The folder that a run is kept in.
#pragma once

#include <optional>
#include <string>

#include "comm/communicator.hpp"
#include "config/config.hpp"
#include "run/folder_lock.hpp"

namespace dmoe::run {

/// What to do with a folder that is there already; claimed: made by this job, and empty.
enum class Existing { refuse, replace, resume, claimed };

/// The folder of a run, of itself or of its run.h5; any other path as it is. Local.
std::string folder_of(const std::string& path);
/// Throws InputError where something is at the path of --output that is no folder. Local.
void check_is_folder(const std::string& output);
std::string run_file(const std::string& folder);
std::string model_file(const std::string& folder);
std::string checkpoint_folder(const std::string& folder);
std::string config_file(const std::string& folder);
std::string log_file(const std::string& folder);

/// The files of a run that are there: run.h5, model.h5, checkpoints, the newest first. Throws InputError
/// where there is none. Local.
std::vector<std::string> files_of_run(const std::string& folder);

/// A file of a run that is whole, for its config: run.h5, model.h5 or the newest such checkpoint. Throws
/// InputError where there is none. Local.
std::string file_with_config(const std::string& folder);

/// config.toml: the effective config, with the defaults that were left in comments. Appears complete or not
/// at all; false where there is one of somebody else, which stays. Throws RunError. Local.
bool write_config(const std::string& folder, const config::Config& config);

/// Where a run of a config goes that names no folder: runs/NAME of NAME.toml, or runs/NAME-n of the number
/// behind the highest that is there. Of RUN/config.toml the NAME is that of RUN. Local.
std::string new_folder(const std::string& config);

/// Such a folder, made, so that no other job takes it; taken away again where nothing but a lock is in it in
/// the end.
class ClaimedFolder {
 public:
  /// Throws InputError where it cannot be made. Local.
  explicit ClaimedFolder(const std::string& config);
  ~ClaimedFolder();
  ClaimedFolder(const ClaimedFolder&) = delete;
  ClaimedFolder& operator=(const ClaimedFolder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

/// The one of the highest number; runs/NAME where there is none. Local.
std::string newest_folder(const std::string& config);

/// A run's folder, held by one job at a time.
class RunFolder {
 public:
  /// Throws on all ranks where the folder exists and may be neither replaced nor resumed, is no folder, or
  /// another job holds it. Changes nothing. Collective.
  RunFolder(const comm::Communicator& world, std::string path, Existing existing);

  /// Makes the folder, or takes what is not to stay out of the one that is there: all of dmoe's own files
  /// where the run is replaced, else what killed writers left. Throws on all ranks where it cannot be
  /// written, a rank does not see it, or another job has made or taken it meanwhile. Collective.
  void make();

  const std::string& path() const { return path_; }
  /// Whether there was one when this job looked. On the coordinator.
  bool is_there() const { return is_there_; }
  /// What a person should know: that the file system has no locks. On the coordinator, else empty.
  std::string warning() const { return lock_ ? lock_->warning() : ""; }

 private:
  void lock();
  void make_here();

  const comm::Communicator& world_;
  std::string path_;
  Existing existing_;
  bool is_there_ = false;
  std::optional<FolderLock> lock_;  // on the coordinator
};

}  // namespace dmoe::run
