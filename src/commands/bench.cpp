#include "commands/bench.hpp"

#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "bench/bench.hpp"
#include "comm/together.hpp"
#include "commands/bench_machine.hpp"
#include "commands/bench_scale.hpp"
#include "commands/named_option.hpp"
#include "config/document.hpp"
#include "core/error.hpp"
#include "core/exit_status.hpp"
#include "core/paths.hpp"
#include "core/version.hpp"
#include "io/table.hpp"
#include "numerics/library.hpp"
#include "numerics/linear.hpp"
#include "run/launch.hpp"

namespace dmoe::commands {

namespace {

namespace fs = std::filesystem;

struct BenchOptions {
  bench::Options measured;
  numerics::Precision precision = numerics::Precision::float32;
  std::string output;                      // "": printed only
  std::vector<const bench::Bench*> asked;  // subcommands
  Action other;                            // of one that is no measurement of this table
};

/// Of each rank; more are not measured.
constexpr Index threads = 1;

std::string or_dash(Index count) {
  return count == 0 ? "-" : fmt::format("{}", count);
}

void print_header() {
  fmt::print("{:<24} {:<17} {:>6} {:>7} {:>6} {:>5} {:>4}  {:<13} {:>12} {:>12} {:>12} {:<8} {:>4}\n",
             "measurement", "network", "batch", "experts", "chosen", "ranks", "rank", "quantity", "median",
             "smallest", "largest", "unit", "of");
}

void print(const bench::Measurement& row) {
  const bench::Subject& subject = row.subject;
  fmt::print(
      "{:<24} {:<17} {:>6} {:>7} {:>6} {:>5} {:>4}  {:<13} {:>12.6g} {:>12.6g} {:>12.6g} {:<8} {:>4}\n",
      row.name, subject.network.empty() ? "-" : subject.network, or_dash(subject.batch),
      or_dash(subject.experts), or_dash(subject.chosen), subject.ranks,
      row.rank < 0 ? "all" : fmt::format("{}", row.rank), row.quantity.name, row.spread.median,
      row.spread.smallest, row.spread.largest, row.quantity.unit, row.repetitions);
  std::fflush(stdout);
}

bool has_extension(const std::string& path, const char* extension) {
  return fs::path(path).extension() == extension;
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
  const io::Launch launch = run::launch_of(job.session, job.command_line, threads);
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
  comm::together(world, [&] {
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

ExitStatus run_benches(const Job& job, const BenchOptions& options) {
  const comm::Communicator& world = job.world();
  comm::together(world, [&] {
    numerics::require_products_of(options.precision);
    if (world.is_coordinator() && !options.output.empty()) check_folder_of(options.output);
  });
  const numerics::ArithmeticScope arithmetic({.precision = options.precision});
  const std::vector<const bench::Bench*> chosen = possible(world, options.measured, options.asked);
  const hdf5::Attributes notes = notes_of(job);
  std::vector<bench::Measurement> rows;
  const bench::Record record([&](const bench::Measurement& row) {
    rows.push_back(row);
    print(row);
  });
  if (world.is_coordinator()) print_header();
  for (const bench::Bench* one : chosen) one->run(world, options.measured, record);
  comm::together(world, [&] {
    if (world.is_coordinator() && !options.output.empty()) write(options.output, rows, notes);
  });
  return ExitStatus::done;
}

void add_measured_options(CLI::App& parser, bench::Options& measured) {
  const auto network = [&measured](const std::string& text) {
    try {
      measured.network = bench::network_named(text);
    } catch (const InputError& error) {
      throw CLI::ValidationError(std::string("--network ") + error.what());
    }
  };
  const auto add = [&parser](const std::string& name, auto& value, const std::string& help, Index most,
                             const std::string& text) {
    parser.add_option(name, value, help)->check(CLI::Range(Index{1}, most))->option_text(text);
  };
  constexpr Index million = 1'000'000;
  parser
      .add_option_function<std::string>(
          "--network", network,
          "of step, evaluate, ranks and replicas: A (4x100-4x100, default) or experts x units of each layer")
      ->option_text("A|16x50-16x50");
  add("--batch-size", measured.batch_sizes,
      "rows of step, evaluate, ranks, replicas and sum (default: 100 128 512; of an evaluation 500; "
      "replicas: 128 512 2048; sum: 100 128)",
      million, "ROWS..");
  add("--experts", measured.experts, "of size: in each of two layers (default: 4 16 64 256 1024)", 65'536,
      "COUNT..");
  add("--chosen", measured.chosen, "of size: experts that each row goes to (default: 2)", 65'536, "COUNT");
  add("--hidden", measured.hidden,
      "of size and shapes: units of an expert, on twice as many inputs (default: 128)", 65'536, "UNITS");
  add("--rows", measured.rows, "of size: of a step (default: 32768 100)", million, "ROWS..");
  add("--repetitions", measured.repetitions, "of each measurement (default: 7; size: 5)", million, "COUNT");
  add("--steps", measured.steps,
      "of one repetition (default: 50; size: as many as make 32,768 rows, 20 at most)", million, "COUNT");
}

/// A subcommand with options of its own, to which those of the table say nothing.
void add_other(CLI::App& parser, const std::string& name, const std::string& help,
               Action (*declare)(CLI::App&), const std::shared_ptr<BenchOptions>& options) {
  CLI::App& sub = *parser.add_subcommand(name, help);
  const Action action = declare(sub);
  sub.final_callback([&parser, name, action, options] {
    for (const CLI::Option* option : parser.get_options())
      if (option->count() > 0)
        throw CLI::ValidationError(fmt::format("{} is not for dmoe bench {}", option->get_name(), name));
    options->other = action;
  });
}

}  // namespace

Action declare_bench(CLI::App& parser) {
  const auto options = std::make_shared<BenchOptions>();
  for (const bench::Bench& one : bench::benches()) {
    parser.add_subcommand(one.name, one.help)->fallthrough()->callback([options, &one] {
      options->asked.push_back(&one);
    });
  }
  parser.add_subcommand("all", "all of these that can run on so many ranks")
      ->fallthrough()
      ->callback([options] {
        for (const bench::Bench& one : bench::benches()) options->asked.push_back(&one);
      });
  add_other(parser, "machine", "constants of this machine for the model of scale, as TOML",
            declare_bench_machine, options);
  add_other(parser, "scale", "what the model of scale says of a config on 1 to 1,024 ranks",
            declare_bench_scale, options);
  parser.require_subcommand(1);
  add_measured_options(parser, options->measured);
  const auto output = [options](const std::string& path) {
    if (!has_extension(path, ".h5") && !has_extension(path, ".csv"))
      throw CLI::ValidationError("--output must end in .h5 or .csv, got " + config::toml_quoted(path));
    options->output = path;
  };
  parser.add_option_function<std::string>("--output", output, "write the table to this file too")
      ->option_text("FILE.h5|FILE.csv");
  add_named_option<numerics::Precision>(
      parser, "--precision", options->precision,
      {{"float32", numerics::Precision::float32}, {"bf16", numerics::Precision::bf16}},
      "that matrix products multiply in (default: float32)");
  parser.footer(
      "A row of the table is a measurement: what was measured on what, and the median, smallest and largest "
      "of\n"
      "its repetitions. What is compared is measured in turn, and its ratio is taken within each "
      "repetition.\n"
      "Columns: measurement, network, batch, experts (of a layer), chosen (of them by each row), ranks, "
      "rank\n"
      "(-1: of all), precision, quantity, unit, median, smallest, largest, repetitions. The HDF5 also says, "
      "in\n"
      "attributes of /table, on which machine, with which libraries and by which command line; CSV does "
      "not.");
  return
      [options](const Job& job) { return options->other ? options->other(job) : run_benches(job, *options); };
}

}  // namespace dmoe::commands
