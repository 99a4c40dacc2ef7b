#include "run/folder.hpp"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <system_error>
#include <unistd.h>
#include <utility>
#include <vector>

#include "config/reference.hpp"
#include "core/error.hpp"
#include "core/paths.hpp"
#include "core/text_file.hpp"
#include "hdf5/atomic_file.hpp"
#include "io/checkpoint_file.hpp"
#include "run/agreement.hpp"

namespace dmoe::run {

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

std::string config_file(const std::string& folder) {
  return (fs::path(folder) / "config.toml").string();
}
std::string log_file(const std::string& folder) {
  return (fs::path(folder) / "log.txt").string();
}

std::string file_with_config(const std::string& folder) {
  for (const std::string& file : {run_file(folder), model_file(folder)})
    if (path_exists(file)) return file;
  const std::vector<std::string> checkpoints = io::find_checkpoints(checkpoint_folder(folder));
  if (!checkpoints.empty()) return checkpoints.front();
  throw InputError("{}: holds no run: neither run.h5 nor model.h5 nor a checkpoint", folder);
}

void write_config(const std::string& folder, const config::Config& config) {
  write_text_file(
      config_file(folder),
      "# The config of this run, as it was resumed last; comments name the defaults that it left.\n" +
          config::with_defaults(config));
}

namespace {

/// runs/NAME, runs/NAME-2, ..
std::string numbered_folder(const std::string& config, Index number) {
  const std::string name = fs::path(config).stem().string();
  return (fs::path("runs") / (number == 1 ? name : fmt::format("{}-{}", name, number))).string();
}

}  // namespace

std::string new_folder(const std::string& config) {
  Index number = 1;
  while (path_exists(numbered_folder(config, number))) ++number;
  return numbered_folder(config, number);
}

std::string newest_folder(const std::string& config) {
  std::string newest = numbered_folder(config, 1);
  std::optional<fs::file_time_type> latest;
  for (Index number = 1; path_exists(numbered_folder(config, number)); ++number) {
    const std::string folder = numbered_folder(config, number);
    std::error_code missing;
    const fs::file_time_type written = fs::last_write_time(run_file(folder), missing);
    if (missing || (latest && written < *latest)) continue;
    latest = written;
    newest = folder;
  }
  return newest;
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
  files.insert(files.end(), {run_file(path_), model_file(path_), config_file(path_), log_file(path_)});
  for (const std::string& file : files) {
    fs::remove(file, error);
    if (error) throw InputError("--output {}: cannot remove {}: {}", path_, file, error.message());
  }
}

}  // namespace dmoe::run
