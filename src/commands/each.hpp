// A command over several files: one that cannot be read does not keep the others from being told.
#pragma once

#include <string>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/error.hpp"

namespace dmoe::commands {

/// What was wrong with any of the files at these paths, where with_each(file) threw InputError. Local.
template <class FilesAt, class Do>
std::vector<std::string> wrong_ones(const std::vector<std::string>& paths, FilesAt files_at, Do with_each) {
  std::vector<std::string> wrong;
  const auto attempt = [&](const auto& what) {
    try {
      what();
    } catch (const InputError& error) {
      wrong.emplace_back(error.what());
    }
  };
  for (const std::string& path : paths) {
    std::vector<std::string> files;
    attempt([&] { files = files_at(path); });
    for (const std::string& file : files) attempt([&] { with_each(file); });
  }
  return wrong;
}

/// Throws InputError with all of it, where there is any. Local.
inline void refuse(const std::vector<std::string>& wrong) {
  if (!wrong.empty()) throw InputError("{}", fmt::join(wrong, "; "));
}

}  // namespace dmoe::commands
