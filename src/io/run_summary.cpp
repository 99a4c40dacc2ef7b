#include "io/run_summary.hpp"

#include <algorithm>
#include <span>

#include <fmt/format.h>

#include "core/error.hpp"
#include "core/timing.hpp"
#include "hdf5/atomic_file.hpp"
#include "io/format.hpp"
#include "io/run_schema.hpp"

namespace dmoe::io {

namespace {

using training::EvaluationRow;
using training::LogRow;

constexpr std::size_t most_layers = 10'000;  // far beyond use

std::string assignment_path(std::size_t layer) {
  return fmt::format("/layers/{}/assignment", layer + 1);
}
std::string launch_path(std::size_t launch) {
  return fmt::format("/launches/{}", launch + 1);
}

std::string layer_path(std::size_t layer) {
  return fmt::format("/network/layers/{}", layer + 1);
}

void write_network(hdf5::File& file, const NetworkRecord& network) {
  write_record(file, "/network", network, network_attributes());
  for (std::size_t l = 0; l < network.layers.size(); ++l)
    write_record(file, layer_path(l), network.layers[l], layer_attributes());
}

NetworkRecord read_network(const hdf5::File& file) {
  if (!file.exists("/network")) return {};  // not of the first runs
  auto network = read_record<NetworkRecord>(file, "/network", network_attributes());
  const std::size_t layers = file.exists("/network/layers") ? file.children("/network/layers").size()
                                                            : 0;  // none before format_minor 2
  for (std::size_t l = 0; l < layers; ++l) {
    if (!file.exists(layer_path(l)))
      throw InputError("{}: /network/layers does not hold layers 1 to {}: the file is damaged", file.path(),
                       layers);
    network.layers.push_back(read_record<LayerRecord>(file, layer_path(l), layer_attributes()));
    const LayerRecord& layer = network.layers.back();
    if (layer.spec.experts < 1 || layer.spec.hidden < 1 || layer.spec.gate_hidden < 0 || layer.inputs < 1)
      throw InputError("{}: {} has a layer of {} experts of {} units, a gate of {} and {} inputs",
                       file.path(), layer_path(l), layer.spec.experts, layer.spec.hidden,
                       layer.spec.gate_hidden, layer.inputs);
  }
  return network;
}

/// Of each rank the seconds from `first` on, as many as names.
template <std::size_t count>
void write_seconds(hdf5::File& file, const std::string& path, const std::string& axis,
                   const training::RankSeconds& seconds, std::size_t first) {
  std::vector<double> all;
  for (const ActivitySeconds& rank : seconds) {
    const auto some = std::span(rank).subspan(first, count);
    all.insert(all.end(), some.begin(), some.end());
  }
  file.write(path, all, {static_cast<Index>(seconds.size()), static_cast<Index>(count)},
             {"s", {"rank", axis}});
}

void write_launch(hdf5::File& file, const std::string& path, const LaunchRecord& record) {
  write_record(file, path, record, launch_attributes());
  if (record.seconds.empty()) return;
  const auto texts = [](const auto& names) { return std::vector<std::string>(names.begin(), names.end()); };
  file.write(path + "/timing/phases", texts(activity_names), {"text", {"phase"}});
  write_seconds<activity_names.size()>(file, path + "/timing/seconds", "phase", record.seconds, 0);
  file.write(path + "/timing/parts", texts(part_names), {"text", {"part"}});
  write_seconds<part_names.size()>(file, path + "/timing/part_seconds", "part", record.seconds,
                                   activity_names.size());
}

LaunchRecord read_launch(const hdf5::File& file, const std::string& path) {
  auto result = read_record<LaunchRecord>(file, path, launch_attributes());
  if (!file.exists(path + "/timing")) return result;
  result.seconds.resize(size(result.launch.ranks));
  const auto read = [&](const std::string& name, std::size_t first, std::size_t count) {
    const std::vector<double> seconds =
        file.read<double>(path + name, {result.launch.ranks, static_cast<Index>(count)});
    for (std::size_t i = 0; i < seconds.size(); ++i)
      result.seconds[i / count][first + i % count] = seconds[i];
  };
  read("/timing/seconds", 0, activity_names.size());
  if (file.exists(path + "/timing/part_seconds"))  // not of the first runs
    read("/timing/part_seconds", activity_names.size(), part_names.size());
  return result;
}

/// A dataset (T, N) of a number that each row has of each expert, some rows at a time: a copy of the whole
/// would be as large as the log.
template <class NumbersOf>
void write_expert_table(hdf5::File& file, const std::string& path, const std::vector<LogRow>& rows,
                        const std::string& units, const NumbersOf& numbers_of) {
  constexpr Index at_once = (1 << 20) / sizeof(double);  // a chunk
  const auto row_count = static_cast<Index>(rows.size());
  const auto experts = static_cast<Index>(numbers_of(rows.front()).size());
  file.create_dataset(path, {.element = hdf5::Element::float64,
                             .shape = {row_count, experts},
                             .annotation = {units, {"interval", "expert"}}});
  const Index rows_at_once = std::clamp(at_once / experts, Index{1}, row_count);
  std::vector<double> some;
  some.reserve(size(rows_at_once * experts));
  for (Index first = 0; first < row_count; first += rows_at_once) {
    const Index count = std::min(rows_at_once, row_count - first);
    some.clear();
    for (Index t = first; t < first + count; ++t) {
      const std::vector<double>& numbers = numbers_of(rows[size(t)]);
      some.insert(some.end(), numbers.begin(), numbers.end());
    }
    file.write_slab(path, {first, count}, some);
  }
}

void write_assignment(hdf5::File& file, const std::vector<LogRow>& rows) {
  if (rows.empty()) return;
  for (std::size_t l = 0; l < rows.front().layers.size(); ++l) {
    if (rows.front().layers[l].totals.empty()) continue;  // no gate, nothing to assign
    const std::string group = assignment_path(l);
    write_columns(file, group, "interval", rows, {train_columns().front()});  // step
    write_expert_table(
        file, group + "/totals", rows,
        "examples", [&](const LogRow& row) -> auto& { return row.layers[l].totals; });
    write_expert_table(
        file, group + "/masked", rows,
        "1", [&](const LogRow& row) -> auto& { return row.layers[l].masked_fraction; });
  }
}

/// The same the other way; returns N, which has to be `expected`.
template <class NumbersOf>
Index read_expert_table(const hdf5::File& file, const std::string& path, std::vector<LogRow>& rows,
                        Index expected, const NumbersOf& numbers_of) {
  const std::vector<double> numbers = file.read<double>(path, {static_cast<Index>(rows.size()), expected});
  const Index experts = file.shape(path)[1];
  for (std::size_t t = 0; t < rows.size(); ++t) {
    const auto first = numbers.begin() + static_cast<Index>(t) * experts;
    numbers_of(rows[t]).assign(first, first + experts);
  }
  return experts;
}

void read_assignment(const hdf5::File& file, std::vector<LogRow>& rows) {
  if (!file.exists("/layers")) return;
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
    for (LogRow& row : rows) row.layers.emplace_back();
    const Index experts = read_expert_table(
        file, group + "/totals", rows, hdf5::any,
        [](LogRow & row) -> auto& { return row.layers.back().totals; });
    read_expert_table(
        file, group + "/masked", rows, experts,
        [](LogRow & row) -> auto& { return row.layers.back().masked_fraction; });
  }
}

}  // namespace

std::vector<LayerRecord> layer_records(const model::NetworkSpec& network) {
  std::vector<LayerRecord> layers;
  for (Index l = 0; l < network.layer_count(); ++l)
    layers.push_back({network.layers[size(l)], network.input_width(l), network.output_width(l)});
  return layers;
}

void write_contents(hdf5::File& file, const RunSummary& run) {
  write_record(file, "/provenance", run.provenance, provenance_attributes());
  write_network(file, run.network);
  write_data(file, run.data);
  for (std::size_t s = 0; s < run.launches.size(); ++s) write_launch(file, launch_path(s), run.launches[s]);
  write_columns(file, "/train", "interval", run.rows, train_columns());
  file.write_attribute("/train/phase", "names", run.phases);
  write_columns(file, "/evaluation", "evaluation", run.evaluations, evaluation_columns());
  if (!run.evaluations.empty() && run.evaluations.front().has_validation)
    write_columns(file, "/evaluation", "evaluation", run.evaluations, validation_columns());
  write_assignment(file, run.rows);
}

RunSummary read_contents(const hdf5::File& file) {
  RunSummary run;
  run.config_toml = read_config(file);
  run.provenance = read_record<Provenance>(file, "/provenance", provenance_attributes());
  run.network = read_network(file);
  run.data = read_data(file);
  for (std::size_t s = 0; file.exists(launch_path(s)); ++s)
    run.launches.push_back(read_launch(file, launch_path(s)));
  run.rows.resize(size(hdf5::element_count(file.shape("/train/step"))));
  read_columns(file, "/train", run.rows, train_columns());
  run.phases = file.read_attribute<std::vector<std::string>>("/train/phase", "names");
  run.evaluations.resize(size(hdf5::element_count(file.shape("/evaluation/epoch"))));
  read_columns(file, "/evaluation", run.evaluations, evaluation_columns());
  if (file.exists("/evaluation/validation_loss")) {
    for (EvaluationRow& row : run.evaluations) row.has_validation = true;
    read_columns(file, "/evaluation", run.evaluations, validation_columns());
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
