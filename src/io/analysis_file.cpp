#include "io/analysis_file.hpp"

#include <array>

#include <fmt/format.h>

#include "hdf5/atomic_file.hpp"
#include "io/format.hpp"

namespace dmoe::io {

namespace {

using analysis::Analysis;
using analysis::FactorMap;
using analysis::Information;
using analysis::LayerSpecialisation;
using analysis::Pair;
using analysis::TestedInformation;
using analysis::TopExamples;

std::string layer_path(const std::string& group, std::size_t layer) {
  return fmt::format("{}/layers/{}", group, layer + 1);
}

void write_information(hdf5::File& file, const std::string& path, const Information& information) {
  file.write(path, std::array{information.nats, information.normalized}, {2},
             {"nats; 1", {"nats_and_normalized"}});
}

Information read_information(const hdf5::File& file, const std::string& path) {
  const std::vector<double> values = file.read<double>(path, {2});
  return {values[0], values[1]};
}

void write_factor(hdf5::File& file, const std::string& layer, Index experts, const FactorMap& map) {
  hdf5::Shape shape{experts};
  shape.insert(shape.end(), map.levels.begin(), map.levels.end());
  std::vector<std::string> dimensions{"expert"};
  dimensions.insert(dimensions.end(), map.axes.begin(), map.axes.end());
  const std::string by_factor = fmt::format("{}/by_{}", layer, map.factor);
  file.write(by_factor, map.mean_gate, shape, {"1", dimensions});
  if (!map.names.empty()) file.write_attribute(by_factor, "levels", map.names);
  const std::string path = fmt::format("{}/mutual_information/{}", layer, map.factor);
  write_information(file, path + "/soft", map.soft.observed);
  write_information(file, path + "/hard", map.hard.observed);
  std::vector<double> null;
  for (const TestedInformation* tested : {&map.soft, &map.hard}) {
    for (const Information& by_chance : tested->null) {
      null.insert(null.end(), {by_chance.nats, by_chance.normalized});
    }
  }
  file.write(path + "/null", null, {2, static_cast<Index>(map.soft.null.size()), 2},
             {"nats; 1", {"soft_and_hard", "permutation", "nats_and_normalized"}});
  file.write(path + "/p_value", std::array{map.soft.p_value(), map.hard.p_value()}, {2},
             {"1", {"soft_and_hard"}});
}

FactorMap read_factor(const hdf5::File& file, const std::string& layer, const std::string& factor) {
  const std::string by_factor = fmt::format("{}/by_{}", layer, factor);
  const std::string path = fmt::format("{}/mutual_information/{}", layer, factor);
  const hdf5::Shape shape = file.shape(by_factor);
  const auto dimensions = file.read_attribute<std::vector<std::string>>(by_factor, "dimensions");
  FactorMap map;
  map.factor = factor;
  if (file.has_attribute(by_factor, "levels"))
    map.names = file.read_attribute<std::vector<std::string>>(by_factor, "levels");
  map.levels.assign(shape.begin() + 1, shape.end());
  map.axes.assign(dimensions.begin() + 1, dimensions.end());
  map.mean_gate = file.read<double>(by_factor);
  map.soft.observed = read_information(file, path + "/soft");
  map.hard.observed = read_information(file, path + "/hard");
  if (!file.exists(path + "/null")) return map;  // written before there was one
  const std::vector<double> null = file.read<double>(path + "/null", {2, hdf5::any, 2});
  for (std::size_t i = 0; i < null.size(); i += 2) {
    (i < null.size() / 2 ? map.soft : map.hard).null.push_back({null[i], null[i + 1]});
  }
  return map;
}

void write_layer(hdf5::File& file, const std::string& path, const LayerSpecialisation& layer) {
  const auto experts = static_cast<Index>(layer.mean_gate.size());
  file.write(path + "/mean_gate", layer.mean_gate, {experts}, {"1", {"expert"}});
  std::vector<std::int64_t> dead;
  for (std::size_t e = 0; e < layer.mean_gate.size(); ++e) dead.push_back(layer.is_dead(e) ? 1 : 0);
  file.write(path + "/dead", dead, {experts}, {"1", {"expert"}});
  write_information(file, path + "/entropy/of_mean_gate", layer.balance);
  write_information(file, path + "/entropy/mean_of_gates", layer.openness);
  for (const FactorMap& map : layer.factors) write_factor(file, path, experts, map);
}

LayerSpecialisation read_layer(const hdf5::File& file, const std::string& path) {
  LayerSpecialisation layer;
  layer.mean_gate = file.read<double>(path + "/mean_gate", {hdf5::any});
  if (file.exists(path + "/entropy")) {  // not of the first analyses
    layer.balance = read_information(file, path + "/entropy/of_mean_gate");
    layer.openness = read_information(file, path + "/entropy/mean_of_gates");
  }
  for (const std::string& factor : file.children(path + "/mutual_information")) {
    layer.factors.push_back(read_factor(file, path, factor));
  }
  return layer;
}

/// combinations: the axes in front, (N) or (N, N').
void write_top(hdf5::File& file, const std::string& path, const TopExamples& top, hdf5::Shape shape,
               std::vector<std::string> dimensions) {
  shape.push_back(top.wanted);
  dimensions.emplace_back("rank");
  file.write(path + "/index", top.index, shape, {"1", dimensions});
  file.write(path + "/gate", top.gate, shape, {"1", dimensions});
  shape.push_back(static_cast<Index>(top.input.size() / top.index.size()));
  dimensions.emplace_back("input");
  file.write(path + "/input", top.input, shape, {"1", dimensions});
}

void write_pair(hdf5::File& file, const std::string& path, const Pair& pair) {
  const hdf5::Shape shape{pair.experts, pair.next_experts};
  const std::vector<std::string> dimensions{"expert", "next_expert"};
  file.write(path + "/joint", pair.joint, shape, {"1", dimensions});
  file.write(path + "/joint_rows", pair.joint_rows, shape, {"1", dimensions});
  file.write_attribute(path, "next_layer", pair.next_layer + 1);
  write_top(file, path + "/top_examples", pair.top, shape, dimensions);
}

}  // namespace

std::string analysis_group(const std::string& split) {
  return split == "test" ? "/analysis" : "/analysis_" + split;
}

void write_analysis(const std::string& run_path, const Analysis& result, const std::string& config_toml) {
  check_format(hdf5::File::open_read(run_path), {run_format});
  const std::string group = analysis_group(result.split);
  hdf5::AtomicFile file(run_path, hdf5::AtomicFile::Start::copy);
  replace_group(*file, group, run_path);
  file->write_attribute(group, "split", result.split);
  file->write_attribute(group, "examples", result.examples);
  if (result.groups > 0) file->write_attribute(group, "groups", result.groups);
  if (!result.data_differences.empty())
    file->write_attribute(group, "data_differences", result.data_differences);
  file->write_text(group + "/config", config_toml, "TOML");
  file->write_attribute(group, "permutation_seed", static_cast<std::int64_t>(result.permutations.seed));
  for (std::size_t l = 0; l < result.layers.size(); ++l) {
    const LayerSpecialisation& layer = result.layers[l];
    if (layer.is_empty()) continue;
    write_layer(*file, layer_path(group, l), layer);
    if (result.top) {
      const auto experts = static_cast<Index>(layer.mean_gate.size());
      write_top(*file, layer_path(group, l) + "/top_examples", *result.top, {experts}, {"expert"});
    }
  }
  for (std::size_t l = 0; l < result.pairs.size(); ++l) {
    if (result.pairs[l]) write_pair(*file, fmt::format("{}/pairs/{}", group, l + 1), *result.pairs[l]);
  }
  file.commit();
}

std::optional<Analysis> read_analysis(const std::string& run_path, const std::string& split) {
  const hdf5::File file = hdf5::File::open_read(run_path);
  check_format(file, {run_format});
  const auto split_in = [&](const std::string& group) {
    return file.exists(group) ? file.read_attribute<std::string>(group, "split") : "";
  };
  // Earlier versions kept one, of whatever split, where that of the test set stands.
  const std::string group = split_in(analysis_group(split)) == split ? analysis_group(split) : "/analysis";
  if (split_in(group) != split) return std::nullopt;
  Analysis result;
  result.split = file.read_attribute<std::string>(group, "split");
  result.examples = file.read_attribute<std::int64_t>(group, "examples");
  if (file.has_attribute(group, "groups")) result.groups = file.read_attribute<std::int64_t>(group, "groups");
  if (file.has_attribute(group, "data_differences"))
    result.data_differences = file.read_attribute<std::vector<std::string>>(group, "data_differences");
  if (!file.exists(group + "/layers")) return result;
  for (std::size_t l = 0, found = 0; found < file.children(group + "/layers").size(); ++l) {
    const bool is_there = file.exists(layer_path(group, l));  // a layer without a gate is not
    result.layers.push_back(is_there ? read_layer(file, layer_path(group, l)) : LayerSpecialisation{});
    found += is_there ? 1 : 0;
  }
  return result;
}

}  // namespace dmoe::io
