// What this build of dmoe is: recorded in every file it writes.
#pragma once

#include <string_view>

namespace dmoe {

struct BuildInfo {
  std::string_view version;  // e.g. "0.1.0"
  std::string_view
      git_commit;  // short hash, "-dirty" behind it when the tree had changes, "unknown" outside git
  std::string_view compiler;    // e.g. "GNU 12.2.0"
  std::string_view build_type;  // e.g. "Release"
  std::string_view arch;        // the -march= of dmoe's own code
};

/// The build this program is. Local.
const BuildInfo& build_info();

}  // namespace dmoe
