#include "app/check.hpp"

#include <cmath>
#include <memory>
#include <string>
#include <sys/resource.h>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "comm/together.hpp"
#include "core/error.hpp"
#include "core/exit_status.hpp"
#include "core/paths.hpp"
#include "io/verify.hpp"
#include "run/folder.hpp"
#include "run/guarded_file.hpp"

namespace dmoe::app {

namespace {

struct CheckOptions {
  std::vector<std::string> files;
  std::uint64_t seconds = 0;  // of computing; 0: a child looks at each file, so that it may crash
  io::Foreign foreign = io::Foreign::refuse;
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

/// Says of every file what it is; throws for the first that is not whole.
void check(const CheckOptions& options) {
  if (options.seconds > 0) limit_this_process(options.seconds);
  for (const std::string& path : options.files) {
    for (const std::string& file : is_folder(path) ? run::files_of_run(path) : std::vector{path})
      fmt::print("{}", options.seconds == 0 ? run::check_in_child(file, options.foreign)
                                            : run::checked_here(file, options.foreign));
  }
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

}  // namespace dmoe::app
