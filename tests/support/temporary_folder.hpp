// A folder that is gone after the test.
#pragma once

#include <filesystem>
#include <string_view>

namespace dmoe::comm {
class Communicator;
}

namespace dmoe::test {

/// Owner of a new empty folder below the system's temporary one.
class TemporaryFolder {
 public:
  /// A folder of this process, removed with the object. Local.
  TemporaryFolder();
  /// One folder for all ranks, made by the coordinator; it is removed when all ranks have ended the test, so
  /// that no rank waits in a destructor. Only in tests of dmoe_add_mpi_test. Collective over `communicator`.
  explicit TemporaryFolder(const comm::Communicator& communicator);
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(std::string_view name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
  bool removes_itself_ = true;
};

/// A new folder. Throws std::system_error. Local.
std::filesystem::path make_temporary_folder();

/// Removes the folders of all ranks that this rank made. Called when every rank has ended a test. Local.
void remove_shared_folders();

}  // namespace dmoe::test
