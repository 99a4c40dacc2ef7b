#include "commands/check.hpp"

#include <cmath>
#include <memory>
#include <string>
#include <sys/resource.h>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "comm/together.hpp"
#include "commands/each.hpp"
#include "config/json.hpp"
#include "core/error.hpp"
#include "core/exit_status.hpp"
#include "core/paths.hpp"
#include "io/verify.hpp"
#include "run/folder.hpp"
#include "run/guarded_file.hpp"

namespace dmoe::commands {

namespace {

struct CheckOptions {
  std::vector<std::string> files;
  std::uint64_t seconds = 0;  // of computing; 0: a child looks at each file, so that it may crash
  io::Foreign foreign = io::Foreign::refuse;
  bool in_json = false;
};

/// What a damaged file could make the HDF5 library take. A limit that cannot be set is none.
void limit_this_process(std::uint64_t seconds) {
  const auto limit = [](auto resource, rlim_t most, rlim_t grace = 0) {
    const rlimit value{most, most + grace};
    setrlimit(resource, &value);
  };
  limit(RLIMIT_CORE, 0);
  limit(RLIMIT_CPU, seconds, 1);  // SIGXCPU first: whoever waits is told why
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // which reserve terabytes
  limit(RLIMIT_AS, rlim_t{8} << 30);
#endif
}

std::vector<std::string> files_to_check(const std::string& path) {
  return is_folder(path) ? run::files_of_run(path) : std::vector{path};
}

/// Says of every file what it is, or what is wrong with it.
void check(const CheckOptions& options) {
  if (options.seconds > 0) limit_this_process(options.seconds);
  const auto check_one = [&](const std::string& file) {
    return options.seconds == 0 ? run::check_in_child(file, options.foreign)
                                : run::checked_here(file, options.foreign);
  };
  toml::array found;
  const std::vector<Wrong> wrong = wrong_ones(options.files, files_to_check, [&](const std::string& file) {
    const std::string said = check_one(file);
    if (!options.in_json) fmt::print("{}", said);
    found.push_back(toml::table{{"file", file}, {"whole", true}});
  });
  for (const Wrong& one : wrong)
    found.push_back(toml::table{{"file", one.file}, {"whole", false}, {"why", one.why}});
  if (options.in_json) fmt::print("{}", config::to_json(found));
  refuse(wrong);
}

}  // namespace

Action declare_check(CLI::App& parser) {
  const auto options = std::make_shared<CheckOptions>();
  parser.add_option("file", options->files, "folders of runs; run.h5, model.h5, checkpoints, tables, frames")
      ->required()
      ->option_text("RUN|FILE...");
  parser
      .add_option("--limit", options->seconds,
                  "read in this process, and end after as many seconds of computing or with 8 GiB of memory")
      ->option_text("SECONDS");
  parser.add_flag_callback(
      "--any-hdf5", [options] { options->foreign = io::Foreign::allow; },
      "HDF5 files that are not dmoe's too");
  parser.add_flag("--json", options->in_json,
                  "an array with an object for each file (file, whole, why), those not whole last");
  parser.footer(
      "Reads every value and compares every checksum. Exit status: 0 all are whole; 2 one is not, or is no "
      "file "
      "of dmoe.");
  return [options](const Job& job) {
    comm::together(job.world(), [&] {
      if (job.world().is_coordinator()) check(*options);
    });
    return ExitStatus::done;
  };
}

}  // namespace dmoe::commands
