#include <string>
#include <system_error>
#include <vector>

#include "comm/communicator.hpp"
#include "support/temporary_folder.hpp"

namespace dmoe::test {

namespace {

std::vector<std::filesystem::path>& shared_folders() {
  static std::vector<std::filesystem::path> folders;
  return folders;
}

}  // namespace

TemporaryFolder::TemporaryFolder(const comm::Communicator& communicator) : removes_itself_(false) {
  std::string name;
  if (communicator.is_coordinator()) {
    name = make_temporary_folder().string();
    shared_folders().emplace_back(name);
  }
  communicator.broadcast(name);
  path_ = name;
}

void remove_shared_folders() {
  std::error_code ignored;
  for (const std::filesystem::path& folder : shared_folders()) std::filesystem::remove_all(folder, ignored);
  shared_folders().clear();
}

}  // namespace dmoe::test
