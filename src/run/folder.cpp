#include "run/folder.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string_view>
#include <system_error>
#include <unistd.h>
#include <utility>
#include <vector>

#include "comm/together.hpp"
#include "config/reference.hpp"
#include "core/error.hpp"
#include "core/paths.hpp"
#include "core/text_file.hpp"
#include "hdf5/atomic_file.hpp"
#include "io/checkpoint_file.hpp"
#include "run/guarded_file.hpp"

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

std::string folder_of(const std::string& path) {
  const fs::path file = path;
  if (file.filename() != "run.h5" || is_folder(path)) return path;
  return file.has_parent_path() ? file.parent_path().string() : ".";
}
void check_is_folder(const std::string& output) {
  if (!path_exists(output) || is_folder(output)) return;
  const std::string folder = folder_of(output);
  throw InputError("--output {}: exists and is not a folder{}", output,
                   folder == output ? "" : fmt::format("; that of the run is --output {}", folder));
}
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

std::vector<std::string> files_of_run(const std::string& folder) {
  std::vector<std::string> files = io::find_checkpoints(checkpoint_folder(folder));
  files.insert(files.begin(), {run_file(folder), model_file(folder)});
  std::erase_if(files, [](const std::string& file) { return !path_exists(file); });
  if (files.empty())
    throw InputError("{}: holds no run: neither run.h5 nor model.h5 nor a checkpoint", folder);
  return files;
}

std::string file_with_config(const std::string& folder) {
  std::optional<InputError> problem;
  for (const std::string& file : files_of_run(folder)) {
    try {
      check_in_child(file);
      return file;
    } catch (const InputError& error) {  // another one may be whole
      if (!problem) problem = error;
    }
  }
  throw InputError(*problem);
}

namespace {

constexpr const char* config_header =
    "# The effective config of this run; comments name the defaults that it left. Changes here are not "
    "read.\n";

/// Whether config.toml is there and somebody else's.
bool has_foreign_config(const std::string& folder) {
  std::ifstream stream(config_file(folder));
  std::string line;
  return stream && !(std::getline(stream, line) && line + "\n" == config_header);
}

}  // namespace

bool write_config(const std::string& folder, const config::Config& config) {
  if (has_foreign_config(folder)) return false;
  write_text_file(config_file(folder), config_header + config::with_defaults(config));
  return true;
}

namespace {

/// "small" of "a/small.toml", and of the config.toml of the run small.
std::string name_of(const std::string& config) {
  const fs::path folder = fs::path(config).parent_path();
  const bool is_of_run =
      fs::path(config).filename() == "config.toml" && path_exists(run_file(folder.string()));
  return (is_of_run && folder.has_filename() ? folder.filename() : fs::path(config).stem()).string();
}

/// runs/NAME, runs/NAME-2, ..
std::string numbered_folder(const std::string& config, Index number) {
  const std::string name = name_of(config);
  return (fs::path("runs") / (number == 1 ? name : fmt::format("{}-{}", name, number))).string();
}

/// The highest number of those that are there; 0 where none is.
Index highest_number(const std::string& config) {
  const std::string name = name_of(config);
  Index highest = 0;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator("runs", ignored)) {
    const std::string folder = entry.path().filename().string();
    if (folder == name) highest = std::max(highest, Index{1});
    if (!folder.starts_with(name + "-")) continue;
    const std::string_view digits = std::string_view(folder).substr(name.size() + 1);
    Index number = 0;
    const auto [end, problem] = std::from_chars(digits.begin(), digits.end(), number);
    if (problem == std::errc{} && end == digits.end() && number > 1 &&
        folder == fs::path(numbered_folder(config, number)).filename())
      highest = std::max(highest, number);
  }
  return highest;
}

}  // namespace

std::string new_folder(const std::string& config) {
  return numbered_folder(config, highest_number(config) + 1);
}

ClaimedFolder::ClaimedFolder(const std::string& config) {
  std::error_code error;
  bool is_new = false;
  while (!is_new && !error) {  // another job may be faster
    path_ = new_folder(config);
    fs::create_directories(fs::path(path_).parent_path(), error);
    if (!error) is_new = fs::create_directory(path_, error);
  }
  if (error) throw InputError("{}: cannot make the folder: {}", path_, error.message());
}

ClaimedFolder::~ClaimedFolder() {
  std::error_code problem;
  for (const auto& entry : fs::directory_iterator(path_, problem))
    if (entry.path().filename() != ".lock") return;
  for (const fs::path& path : {fs::path(path_) / ".lock", fs::path(path_)}) fs::remove(path, problem);
}

std::string newest_folder(const std::string& config) {
  return numbered_folder(config, std::max(highest_number(config), Index{1}));
}

RunFolder::RunFolder(const comm::Communicator& world, std::string path, Existing existing)
    : world_(world), path_(std::move(path)), existing_(existing) {
  comm::together(world, [&] {
    if (!world.is_coordinator()) return;
    std::error_code error;
    const fs::file_status status = fs::status(path_, error);
    is_there_ = fs::exists(status);
    if (const std::string target = dangling_target(path_); !target.empty())
      throw InputError("--output {}: is a link to {}, which is not there", path_, target);
    if (!is_there_) return;
    check_is_folder(path_);
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
  comm::together(world_, [&] {
    if (world_.is_coordinator()) make_here();
  });
  comm::together(world_, [&] {
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
  if (!has_foreign_config(path_)) files.insert(files.end(), {config_file(path_), log_file(path_)});
  for (const std::string& file : files) {
    fs::remove(file, error);
    if (error) throw InputError("--output {}: cannot remove {}: {}", path_, file, error.message());
  }
}

}  // namespace dmoe::run
