#include "app/bench.hpp"

#include <cstdio>
#include <filesystem>
#include <memory>
#include <thread>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "app/document.hpp"
#include "app/launch.hpp"
#include "bench/bench.hpp"
#include "core/error.hpp"
#include "core/paths.hpp"
#include "core/version.hpp"
#include "io/table.hpp"
#include "numerics/library.hpp"

namespace dmoe::app {

namespace {

namespace fs = std::filesystem;

struct BenchOptions {
  bench::Options measured;
  std::string output;  // "": printed only
};

/// Of each rank; more are not measured.
constexpr Index threads = 1;

std::string or_dash(Index count) {
  return count == 0 ? "-" : fmt::format("{}", count);
}

void print_header() {
  fmt::print("{:<22} {:<14} {:>6} {:>7} {:>6} {:>5} {:>4}  {:<13} {:>12} {:>12} {:>12} {:<8} {:>4}\n",
             "measurement", "network", "batch", "experts", "chosen", "ranks", "rank", "quantity", "median",
             "smallest", "largest", "unit", "of");
}

void print(const bench::Measurement& row) {
  const bench::Subject& subject = row.subject;
  fmt::print(
      "{:<22} {:<14} {:>6} {:>7} {:>6} {:>5} {:>4}  {:<13} {:>12.6g} {:>12.6g} {:>12.6g} {:<8} {:>4}\n",
      row.name, subject.network.empty() ? "-" : subject.network, or_dash(subject.batch),
      or_dash(subject.experts), or_dash(subject.chosen), subject.ranks,
      row.rank < 0 ? "all" : fmt::format("{}", row.rank), row.quantity.name, row.spread.median,
      row.spread.smallest, row.spread.largest, row.quantity.unit, row.repetitions);
  std::fflush(stdout);
}

bool has_extension(const std::string& path, const char* extension) {
  return fs::path(path).extension() == extension;
}

std::string checked_output(const std::string& path) {
  if (has_extension(path, ".h5") || has_extension(path, ".csv")) return "";
  return "--output must end in .h5 or .csv, got " + toml_quoted(path);
}

/// What can be found out before anything is measured.
void check_folder_of(const std::string& output) {
  const fs::path parent = fs::path(output).parent_path();
  if (!parent.empty() && !is_folder(parent))
    throw InputError("--output {}: there is no folder {}", output, parent.string());
  if (is_folder(output)) throw InputError("--output {}: is a folder", output);
}

/// On what and how it was measured. Collective.
hdf5::Attributes notes_of(const Job& job) {
  const io::Launch launch = launch_of(job, threads);
  return {{"cpu", launch.cpu},
          {"instruction_set", launch.instruction_set},
          {"cores", static_cast<std::int64_t>(std::thread::hardware_concurrency())},
          {"hosts", launch.hosts},
          {"ranks", launch.ranks},
          {"threads", launch.threads},
          {"products_library", numerics::library()},
          {"mpi_library", launch.mpi_library},
          {"dmoe_commit", std::string(build_info().git_commit)},
          {"compiler", std::string(build_info().compiler)},
          {"command_line", launch.command_line}};
}

void write(const std::string& output, const std::vector<bench::Measurement>& rows,
           const hdf5::Attributes& notes) {
  if (has_extension(output, ".h5"))
    io::write_table_hdf5(output, bench::table_of(rows), "measurement", notes);
  else
    io::write_table_csv(output, bench::table_of(rows));
}

/// Those of `asked` that can run; where it is one alone and cannot, that is an error. Collective.
std::vector<const bench::Bench*> possible(const comm::Communicator& world, const bench::Options& options,
                                          const std::vector<const bench::Bench*>& asked) {
  std::vector<const bench::Bench*> result;
  agreed(world, [&] {
    for (const bench::Bench* one : asked) {
      const std::string obstacle = bench::obstacle(*one, world.size(), options);
      if (obstacle.empty())
        result.push_back(one);
      else if (asked.size() == 1)
        throw InputError("dmoe bench {} {}", one->name, obstacle);
      else if (world.is_coordinator())
        fmt::print("{} left out: it {}\n", one->name, obstacle);
    }
  });
  return result;
}

Status run_benches(const Job& job, const BenchOptions& options,
                   const std::vector<const bench::Bench*>& asked) {
  const comm::Communicator& world = job.world();
  agreed(world, [&] {
    if (world.is_coordinator() && !options.output.empty()) check_folder_of(options.output);
  });
  const std::vector<const bench::Bench*> chosen = possible(world, options.measured, asked);
  const hdf5::Attributes notes = notes_of(job);
  std::vector<bench::Measurement> rows;
  const bench::Record record([&](const bench::Measurement& row) {
    rows.push_back(row);
    print(row);
  });
  if (world.is_coordinator()) print_header();
  for (const bench::Bench* one : chosen) one->run(world, options.measured, record);
  agreed(world, [&] {
    if (world.is_coordinator() && !options.output.empty()) write(options.output, rows, notes);
  });
  return Status::done;
}

}  // namespace

Action declare_bench(CLI::App& parser) {
  const auto options = std::make_shared<BenchOptions>();
  bench::Options& measured = options->measured;
  std::vector<std::pair<const CLI::App*, const bench::Bench*>> subcommands;
  for (const bench::Bench& one : bench::benches())
    subcommands.emplace_back(parser.add_subcommand(one.name, one.help)->fallthrough(), &one);
  parser.add_subcommand("all", "all of these, but for those that need more ranks")->fallthrough();
  parser.require_subcommand(1);
  const auto network = [&measured](const std::string& text) {
    try {
      measured.network = bench::network_named(text);
    } catch (const InputError& error) {
      throw CLI::ValidationError(std::string("--network ") + error.what());
    }
  };
  parser
      .add_option_function<std::string>(
          "--network", network, "of step, evaluate and ranks: A (4x100-4x100, default) or 16x50-16x50")
      ->option_text("NETWORK");
  parser
      .add_option("--batch-size", measured.batch_sizes,
                  "of step, evaluate, ranks and sum (default: 100 128 512; evaluate: 500; sum: 100 128)")
      ->check(CLI::Range(1, 1'000'000))
      ->option_text("ROWS..");
  parser.add_option("--repetitions", measured.repetitions, "of each measurement (default: 7; size: 5)")
      ->check(CLI::Range(1, 1'000'000))
      ->option_text("COUNT");
  parser
      .add_option("--steps", measured.steps, "of one repetition (default: 50; size: 32,768 rows, at most 20)")
      ->check(CLI::Range(1, 1'000'000))
      ->option_text("COUNT");
  parser.add_option("--output", options->output, "also write the table as HDF5 or CSV")
      ->check(checked_output)
      ->option_text("FILE.h5|FILE.csv");
  parser.footer(
      "Each row is a measurement: the median, smallest and largest of its repetitions. What is compared is "
      "measured\n"
      "in turn, ratios are those of each repetition.");
  return [options, subcommands](const Job& job) {
    std::vector<const bench::Bench*> asked;
    for (const auto& [parsed, one] : subcommands) {
      if (*parsed) asked = {one};
    }
    if (asked.empty()) {
      for (const auto& [unused, one] : subcommands) asked.push_back(one);
    }
    return run_benches(job, *options, asked);
  };
}

}  // namespace dmoe::app
