#include "app/run_folder.hpp"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <system_error>
#include <unistd.h>
#include <utility>
#include <vector>

#include "app/agreement.hpp"
#include "core/error.hpp"
#include "core/paths.hpp"
#include "hdf5/atomic_file.hpp"
#include "io/checkpoint_file.hpp"

namespace dmoe::app {

namespace {

namespace fs = std::filesystem;

/// A file is really written: permissions alone do not tell of a read-only or full file system.
void check_writable(const fs::path& folder) {
  const fs::path probe = folder / fmt::format(".dmoe-write-test-{}", getpid());
  std::ofstream stream(probe);
  stream << "dmoe\n";
  stream.close();
  const int problem = errno;
  std::error_code ignored;
  fs::remove(probe, ignored);
  if (stream.fail()) {
    throw InputError("--output {}: cannot write into it: {}", folder.string(), std::strerror(problem));
  }
}

InputError exists_already(const std::string& folder) {
  return InputError(
      "--output {}: exists already; name another folder, go on with the run in it (--resume), or overwrite "
      "it "
      "(--replace)",
      folder);
}

}  // namespace

std::string run_file(const std::string& folder) {
  return (fs::path(folder) / "run.h5").string();
}
std::string model_file(const std::string& folder) {
  return (fs::path(folder) / "model.h5").string();
}
std::string checkpoint_folder(const std::string& folder) {
  return (fs::path(folder) / "checkpoints").string();
}

RunFolder::RunFolder(const comm::Communicator& world, std::string path, Existing existing)
    : world_(world), path_(std::move(path)), existing_(existing) {
  agreed(world, [&] {
    if (!world.is_coordinator()) return;
    std::error_code error;
    const fs::file_status status = fs::status(path_, error);
    is_there_ = fs::exists(status);
    if (const std::string target = dangling_target(path_); !target.empty())
      throw InputError("--output {}: is a link to {}, which is not there", path_, target);
    if (!is_there_) return;
    if (!fs::is_directory(status)) throw InputError("--output {}: exists and is not a folder", path_);
    if (existing == Existing::refuse) throw exists_already(path_);
    lock();
  });
}

void RunFolder::lock() {
  try {
    lock_.emplace(path_);
  } catch (const InputError& error) {
    throw InputError("--output {}: {}", path_, error.what());
  }
}

void RunFolder::make() {
  agreed(world_, [&] {
    if (world_.is_coordinator()) make_here();
  });
  agreed(world_, [&] {
    if (!fs::is_directory(path_)) {
      throw InputError(
          "--output {}: rank {} does not see it; it must be on a file system that all nodes share", path_,
          world_.rank());
    }
  });
}

void RunFolder::make_here() {
  std::error_code error;
  fs::path name(path_);
  if (!name.has_filename()) name = name.parent_path();  // without a slash behind it
  if (name.has_parent_path()) fs::create_directories(name.parent_path(), error);
  const bool is_new = !error && fs::create_directory(name, error);
  // Another job may have made it since this one looked.
  if (!error && !is_new && existing_ == Existing::refuse) throw exists_already(path_);
  if (error) throw InputError("--output {}: cannot make the folder: {}", path_, error.message());
  check_writable(path_);
  if (!lock_) lock();
  fs::create_directory(checkpoint_folder(path_), error);
  if (error)
    throw InputError("--output {}: cannot make {}: {}", path_, checkpoint_folder(path_), error.message());
  for (const std::string& folder : {path_, checkpoint_folder(path_)}) hdf5::remove_abandoned(folder);
  if (existing_ != Existing::replace) return;
  std::vector<std::string> files = io::find_checkpoints(checkpoint_folder(path_));
  files.insert(files.end(), {run_file(path_), model_file(path_)});
  for (const std::string& file : files) {
    fs::remove(file, error);
    if (error) throw InputError("--output {}: cannot remove {}: {}", path_, file, error.message());
  }
}

}  // namespace dmoe::app
