#include "app/output_folder.hpp"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <system_error>
#include <unistd.h>

#include "app/agreement.hpp"
#include "core/error.hpp"
#include "hdf5/atomic_file.hpp"

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

InputError exists_already(const fs::path& folder) {
  return InputError(
      "--output {}: exists already; name another folder, or overwrite the run in it with --replace",
      folder.string());
}

void make(const fs::path& folder, Existing existing) {
  std::error_code error;
  const fs::path name = folder.has_filename() ? folder : folder.parent_path();  // without a slash behind it
  if (name.has_parent_path()) fs::create_directories(name.parent_path(), error);
  const bool is_new = !error && fs::create_directory(name, error);
  // Another job may have made it since check_output().
  if (!error && !is_new && existing == Existing::refuse) throw exists_already(folder);
  if (error) throw InputError("--output {}: cannot make the folder: {}", folder.string(), error.message());
  check_writable(folder);
  for (const std::string& file : {run_file(folder.string()), model_file(folder.string())}) {
    fs::remove(file, error);
    if (error) throw InputError("--output {}: cannot remove {}: {}", folder.string(), file, error.message());
    hdf5::remove_abandoned(file);
  }
}

}  // namespace

std::string run_file(const std::string& folder) {
  return (fs::path(folder) / "run.h5").string();
}
std::string model_file(const std::string& folder) {
  return (fs::path(folder) / "model.h5").string();
}

void check_output(const comm::Communicator& world, const std::string& folder, Existing existing) {
  agreed(world, [&] {
    if (!world.is_coordinator()) return;
    std::error_code error;
    const fs::file_status status = fs::status(folder, error);
    if (!fs::exists(status)) return;
    if (!fs::is_directory(status)) throw InputError("--output {}: exists and is not a folder", folder);
    if (existing == Existing::refuse) {
      throw exists_already(folder);
    }
  });
}

void make_output(const comm::Communicator& world, const std::string& folder, Existing existing) {
  agreed(world, [&] {
    if (world.is_coordinator()) make(folder, existing);
  });
  agreed(world, [&] {
    if (!fs::is_directory(folder)) {
      throw InputError(
          "--output {}: rank {} does not see it; it must be on a file system that all nodes share", folder,
          world.rank());
    }
  });
}

}  // namespace dmoe::app
