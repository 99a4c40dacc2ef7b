// A command over several files or runs: one that cannot be read does not keep the others from being told.
#pragma once

#include <string>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "comm/together.hpp"
#include "core/error.hpp"

namespace dmoe::commands {

/// A file or run, or a path without one, that cannot be told of.
struct Wrong {
  std::string file;
  std::string why;
};

/// Those of the files at these paths for which with_each(file) threw InputError. Local.
template <class FilesAt, class Do>
std::vector<Wrong> wrong_ones(const std::vector<std::string>& paths, FilesAt files_at, Do with_each) {
  std::vector<Wrong> wrong;
  const auto attempt = [&](const std::string& of, const auto& what) {
    try {
      what();
    } catch (const InputError& error) {
      wrong.push_back({of, error.what()});
    }
  };
  for (const std::string& path : paths) {
    std::vector<std::string> files;
    attempt(path, [&] { files = files_at(path); });
    for (const std::string& file : files) attempt(file, [&] { with_each(file); });
  }
  return wrong;
}

/// Those of the runs for which with_each(run) threw InputError on all ranks of `world`. One that a rank
/// throws alone is passed on: others may wait for that rank. Collective where with_each is.
template <class Do>
std::vector<Wrong> wrong_runs(const comm::Communicator& world, const std::vector<std::string>& runs,
                              Do with_each) {
  std::vector<Wrong> wrong;
  for (const std::string& run : runs) {
    try {
      with_each(run);
    } catch (const InputError& error) {
      if (!comm::is_thrown_by_all(world, error)) throw;
      const std::string why = error.what();
      wrong.push_back({run, why.find(run) == std::string::npos ? run + ": " + why : why});
    }
  }
  return wrong;
}

/// Throws InputError with all of it, where there is any. Local.
inline void refuse(const std::vector<Wrong>& wrong) {
  if (wrong.empty()) return;
  std::vector<std::string> reasons;
  for (const Wrong& one : wrong) reasons.push_back(one.why);
  throw InputError("{}", fmt::join(reasons, "; "));
}

}  // namespace dmoe::commands
