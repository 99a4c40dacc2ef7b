#include "io/run_summary.hpp"

#include <array>
#include <functional>
#include <string_view>
#include <type_traits>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/error.hpp"
#include "core/timing.hpp"
#include "hdf5/atomic_file.hpp"
#include "io/format.hpp"

namespace dmoe::io {

namespace {

using training::EvaluationRow;
using training::LogRow;

constexpr std::array<std::string_view, 4> status_names{"running", "finished", "interrupted", "failed"};
constexpr std::size_t most_layers = 10'000;  // far beyond use
constexpr auto activities = static_cast<Index>(activity_names.size());

/// One number of a row, under its name in the file.
template <class Row, class T>
struct Column {
  const char* name;
  const char* units;
  T& (*member)(Row&);
};

constexpr std::array<Column<LogRow, Index>, 3> train_counts{{
    {"step", "steps", [](LogRow& row) -> Index& { return row.step; }},
    {"epoch", "epochs", [](LogRow& row) -> Index& { return row.epoch; }},
    {"phase", "1", [](LogRow& row) -> Index& { return row.phase; }},
}};
constexpr std::array<Column<LogRow, double>, 4> train_numbers{{
    {"loss", "nats", [](LogRow& row) -> double& { return row.loss; }},
    {"error", "1", [](LogRow& row) -> double& { return row.error; }},
    {"learning_rate", "1", [](LogRow& row) -> double& { return row.learning_rate; }},
    {"examples_per_second", "examples/s", [](LogRow& row) -> double& { return row.examples_per_second; }},
}};
constexpr std::array<Column<EvaluationRow, Index>, 1> evaluation_counts{{
    {"epoch", "epochs", [](EvaluationRow& row) -> Index& { return row.epoch; }},
}};
constexpr std::array<Column<EvaluationRow, double>, 4> evaluation_numbers{{
    {"test_loss", "nats", [](EvaluationRow& row) -> double& { return row.test.loss; }},
    {"test_error", "1", [](EvaluationRow& row) -> double& { return row.test.error; }},
    {"train_loss", "nats", [](EvaluationRow& row) -> double& { return row.train.loss; }},
    {"train_error", "1", [](EvaluationRow& row) -> double& { return row.train.error; }},
}};
/// Only where the data set has a validation split.
constexpr std::array<Column<EvaluationRow, double>, 2> validation_numbers{{
    {"validation_loss", "nats", [](EvaluationRow& row) -> double& { return row.validation.loss; }},
    {"validation_error", "1", [](EvaluationRow& row) -> double& { return row.validation.error; }},
}};

std::string assignment_path(std::size_t layer) {
  return fmt::format("/layers/{}/assignment", layer + 1);
}
std::string launch_path(std::size_t launch) {
  return fmt::format("/launches/{}", launch + 1);
}

template <class Row, class Columns>
void write_columns(hdf5::File& file, const std::string& group, const std::vector<Row>& rows,
                   const Columns& columns, const std::string& axis) {
  for (const auto& column : columns) {
    std::vector<std::remove_reference_t<std::invoke_result_t<decltype(column.member), Row&>>> values;
    // A copy, since a column's accessor serves reading too and wants a row to change.
    for (Row row : rows) values.push_back(column.member(row));  // NOLINT(performance-for-range-copy)
    file.write(fmt::format("{}/{}", group, column.name), values, {static_cast<Index>(values.size())},
               {column.units, {axis}});
  }
}

template <class Row, class Columns>
void read_columns(const hdf5::File& file, const std::string& group, std::vector<Row>& rows,
                  const Columns& columns) {
  for (const auto& column : columns) {
    using T = std::remove_reference_t<std::invoke_result_t<decltype(column.member), Row&>>;
    const std::vector<T> values =
        file.read<T>(fmt::format("{}/{}", group, column.name), {static_cast<Index>(rows.size())});
    for (std::size_t i = 0; i < rows.size(); ++i) column.member(rows[i]) = values[i];
  }
}

void write_provenance(hdf5::File& file, const Provenance& provenance) {
  constexpr const char* path = "/provenance";
  file.create_group(path);
  file.write_attribute(path, "version", provenance.version);
  file.write_attribute(path, "git_commit", provenance.git_commit);
  file.write_attribute(path, "seed", static_cast<std::int64_t>(provenance.seed));
  file.write_attribute(path, "start_time", provenance.start_time);
  if (!provenance.end_time.empty()) file.write_attribute(path, "end_time", provenance.end_time);
  file.write_attribute(path, "status", to_text(provenance.status));
}

RunStatus status_of(const hdf5::File& file, const std::string& text) {
  for (std::size_t i = 0; i < status_names.size(); ++i) {
    if (text == status_names[i]) return static_cast<RunStatus>(i);
  }
  throw InputError("{}: the status in /provenance is '{}', expected {}", file.path(), text,
                   fmt::join(status_names, ", "));
}

Provenance read_provenance(const hdf5::File& file) {
  const auto text = [&](const char* name) { return file.read_attribute<std::string>("/provenance", name); };
  Provenance result;
  result.version = text("version");
  result.git_commit = text("git_commit");
  result.seed = static_cast<std::uint64_t>(file.read_attribute<std::int64_t>("/provenance", "seed"));
  result.start_time = text("start_time");
  if (file.has_attribute("/provenance", "end_time")) result.end_time = text("end_time");
  result.status = status_of(file, text("status"));
  return result;
}

void write_network(hdf5::File& file, const NetworkRecord& network) {
  constexpr const char* path = "/network";
  file.create_group(path);
  file.write_attribute(path, "layers", network.layers);
  file.write_attribute(path, "inputs", network.inputs);
  file.write_attribute(path, "classes", network.classes);
  file.write_attribute(path, "parameters", network.parameters);
  file.write_attribute(path, "multiply_accumulates", network.multiply_accumulates);
}

NetworkRecord read_network(const hdf5::File& file) {
  if (!file.exists("/network")) return {};  // not of the first runs
  const auto number = [&](const char* name) { return file.read_attribute<std::int64_t>("/network", name); };
  return {file.read_attribute<std::string>("/network", "layers"), number("inputs"), number("classes"),
          number("parameters"), number("multiply_accumulates")};
}

void write_launch(hdf5::File& file, const std::string& path, const LaunchRecord& record) {
  const Launch& launch = record.launch;
  file.create_group(path);
  file.write_attribute(path, "command_line", launch.command_line);
  file.write_attribute(path, "hosts", launch.hosts);
  file.write_attribute(path, "mpi_library", launch.mpi_library);
  file.write_attribute(path, "ranks", launch.ranks);
  file.write_attribute(path, "threads", launch.threads);
  file.write_attribute(path, "cpu", launch.cpu);
  file.write_attribute(path, "instruction_set", launch.instruction_set);
  file.write_attribute(path, "compiler", record.compiler);
  file.write_attribute(path, "start_time", record.start_time);
  if (record.wall_seconds) file.write_attribute(path, "wall_seconds", *record.wall_seconds);
  file.write_attribute(path, "first_step", record.first_step);
  if (!record.config_changes.empty()) file.write_attribute(path, "config_changes", record.config_changes);
  if (record.seconds.empty()) return;
  const std::vector<std::string> names(activity_names.begin(), activity_names.end());
  file.write(path + "/timing/phases", names, {"text", {"phase"}});
  std::vector<double> seconds;
  for (const auto& rank : record.seconds) seconds.insert(seconds.end(), rank.begin(), rank.end());
  file.write(path + "/timing/seconds", seconds, {static_cast<Index>(record.seconds.size()), activities},
             {"s", {"rank", "phase"}});
}

LaunchRecord read_launch(const hdf5::File& file, const std::string& path) {
  const auto text = [&](const char* name) { return file.read_attribute<std::string>(path, name); };
  LaunchRecord result;
  result.launch.command_line = text("command_line");
  result.launch.hosts = file.read_attribute<std::vector<std::string>>(path, "hosts");
  result.launch.mpi_library = text("mpi_library");
  result.launch.ranks = file.read_attribute<std::int64_t>(path, "ranks");
  result.launch.threads = file.read_attribute<std::int64_t>(path, "threads");
  result.launch.cpu = text("cpu");
  result.launch.instruction_set = text("instruction_set");
  result.compiler = text("compiler");
  if (file.has_attribute(path, "first_step")) {  // not of the first runs
    result.start_time = text("start_time");
    result.first_step = file.read_attribute<std::int64_t>(path, "first_step");
  }
  if (file.has_attribute(path, "wall_seconds"))
    result.wall_seconds = file.read_attribute<double>(path, "wall_seconds");
  if (file.has_attribute(path, "config_changes"))
    result.config_changes = file.read_attribute<std::vector<std::string>>(path, "config_changes");
  if (!file.exists(path + "/timing")) return result;
  const std::vector<double> seconds =
      file.read<double>(path + "/timing/seconds", {result.launch.ranks, activities});
  result.seconds.resize(size(result.launch.ranks));
  for (std::size_t i = 0; i < seconds.size(); ++i) {
    result.seconds[i / activity_names.size()][i % activity_names.size()] = seconds[i];
  }
  return result;
}

void write_assignment(hdf5::File& file, const std::vector<LogRow>& rows) {
  if (rows.empty()) return;
  const auto row_count = static_cast<Index>(rows.size());
  for (std::size_t l = 0; l < rows.front().layers.size(); ++l) {
    if (rows.front().layers[l].totals.empty()) continue;  // no gate, nothing to assign
    const std::string group = assignment_path(l);
    std::vector<double> totals;
    std::vector<double> masked;
    for (const LogRow& row : rows) {
      const training::AssignmentRow& layer = row.layers[l];
      totals.insert(totals.end(), layer.totals.begin(), layer.totals.end());
      masked.insert(masked.end(), layer.masked_fraction.begin(), layer.masked_fraction.end());
    }
    const auto experts = static_cast<Index>(rows.front().layers[l].totals.size());
    write_columns(file, group, rows, std::array{train_counts[0]}, "interval");
    file.write(group + "/totals", totals, {row_count, experts}, {"examples", {"interval", "expert"}});
    file.write(group + "/masked", masked, {row_count, experts}, {"1", {"interval", "expert"}});
  }
}

void read_assignment(const hdf5::File& file, std::vector<LogRow>& rows) {
  if (!file.exists("/layers")) return;
  const auto row_count = static_cast<Index>(rows.size());
  const std::size_t layers = file.children("/layers").size();
  for (std::size_t l = 0, found = 0; found < layers; ++l) {
    const std::string group = assignment_path(l);
    if (l == most_layers || (!file.exists(group) && file.exists(fmt::format("/layers/{}", l + 1))))
      throw InputError("{}: /layers does not hold the assignment of {} layers: the file is damaged",
                       file.path(), layers);
    if (!file.exists(group)) {  // a layer without a gate
      for (LogRow& row : rows) row.layers.emplace_back();
      continue;
    }
    ++found;
    const std::vector<double> totals = file.read<double>(group + "/totals", {row_count, hdf5::any});
    const Index experts = file.shape(group + "/totals")[1];
    const std::vector<double> masked = file.read<double>(group + "/masked", {row_count, experts});
    for (Index t = 0; t < row_count; ++t) {
      training::AssignmentRow& layer = rows[size(t)].layers.emplace_back();
      layer.totals.assign(totals.begin() + t * experts, totals.begin() + (t + 1) * experts);
      layer.masked_fraction.assign(masked.begin() + t * experts, masked.begin() + (t + 1) * experts);
    }
  }
}

}  // namespace

std::string to_text(RunStatus status) {
  return std::string(status_names[static_cast<std::size_t>(status)]);
}

void write_contents(hdf5::File& file, const RunSummary& run) {
  write_provenance(file, run.provenance);
  write_network(file, run.network);
  write_data(file, run.data);
  for (std::size_t s = 0; s < run.launches.size(); ++s) write_launch(file, launch_path(s), run.launches[s]);
  write_columns(file, "/train", run.rows, train_counts, "interval");
  write_columns(file, "/train", run.rows, train_numbers, "interval");
  file.write_attribute("/train/phase", "names", run.phases);
  write_columns(file, "/evaluation", run.evaluations, evaluation_counts, "evaluation");
  write_columns(file, "/evaluation", run.evaluations, evaluation_numbers, "evaluation");
  if (!run.evaluations.empty() && run.evaluations.front().has_validation) {
    write_columns(file, "/evaluation", run.evaluations, validation_numbers, "evaluation");
  }
  write_assignment(file, run.rows);
}

RunSummary read_contents(const hdf5::File& file) {
  RunSummary run;
  run.config_toml = read_config(file);
  run.provenance = read_provenance(file);
  run.network = read_network(file);
  run.data = read_data(file);
  for (std::size_t s = 0; file.exists(launch_path(s)); ++s)
    run.launches.push_back(read_launch(file, launch_path(s)));
  run.rows.resize(size(hdf5::element_count(file.shape("/train/step"))));
  read_columns(file, "/train", run.rows, train_counts);
  read_columns(file, "/train", run.rows, train_numbers);
  run.phases = file.read_attribute<std::vector<std::string>>("/train/phase", "names");
  run.evaluations.resize(size(hdf5::element_count(file.shape("/evaluation/epoch"))));
  read_columns(file, "/evaluation", run.evaluations, evaluation_counts);
  read_columns(file, "/evaluation", run.evaluations, evaluation_numbers);
  if (file.exists("/evaluation/validation_loss")) {
    for (EvaluationRow& row : run.evaluations) row.has_validation = true;
    read_columns(file, "/evaluation", run.evaluations, validation_numbers);
  }
  read_assignment(file, run.rows);
  return run;
}

void write_run(const std::string& path, const RunSummary& run) {
  hdf5::AtomicFile file(path);
  write_format(*file, run_format, run.config_toml);
  write_contents(*file, run);
  file.commit();
}

RunSummary read_run(const std::string& path) {
  const hdf5::File file = hdf5::File::open_read(path);
  check_format(file, {run_format});
  return read_contents(file);
}

}  // namespace dmoe::io
