#include "support/temporary_folder.hpp"

#include <cerrno>
#include <stdlib.h>  // mkdtemp
#include <string>
#include <system_error>

namespace dmoe::test {

std::filesystem::path make_temporary_folder() {
  std::string name = (std::filesystem::temp_directory_path() / "dmoe-test-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) throw std::system_error(errno, std::generic_category(), name);
  return name;
}

TemporaryFolder::TemporaryFolder() : path_(make_temporary_folder()) {}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  if (removes_itself_) std::filesystem::remove_all(path_, ignored);
}

}  // namespace dmoe::test
