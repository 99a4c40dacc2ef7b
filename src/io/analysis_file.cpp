#include "io/analysis_file.hpp"

#include <array>

#include <fmt/format.h>

#include "hdf5/atomic_file.hpp"
#include "io/format.hpp"

namespace dmoe::io {

namespace {

using analysis::FactorMap;
using analysis::Information;
using analysis::LayerSpecialisation;

std::string layer_path(std::size_t layer) {
  return fmt::format("/analysis/layers/{}", layer + 1);
}

void write_information(hdf5::File& file, const std::string& path, const Information& information) {
  file.write(path, std::array{information.nats, information.normalized}, {2},
             {"nats; 1", {"nats_and_normalized"}});
}

Information read_information(const hdf5::File& file, const std::string& path) {
  const std::vector<double> values = file.read<double>(path, {2});
  return {values[0], values[1]};
}

void write_layer(hdf5::File& file, const std::string& path, const LayerSpecialisation& layer) {
  const auto experts = static_cast<Index>(layer.mean_gate.size());
  file.write(path + "/mean_gate", layer.mean_gate, {experts}, {"1", {"expert"}});
  for (const FactorMap& map : layer.factors) {
    hdf5::Shape shape{experts};
    shape.insert(shape.end(), map.levels.begin(), map.levels.end());
    std::vector<std::string> dimensions{"expert"};
    dimensions.insert(dimensions.end(), map.axes.begin(), map.axes.end());
    file.write(fmt::format("{}/by_{}", path, map.factor), map.mean_gate, shape, {"1", dimensions});
    const std::string information = fmt::format("{}/mutual_information/{}", path, map.factor);
    write_information(file, information + "/soft", map.soft);
    write_information(file, information + "/hard", map.hard);
  }
}

LayerSpecialisation read_layer(const hdf5::File& file, const std::string& path) {
  LayerSpecialisation layer;
  layer.mean_gate = file.read<double>(path + "/mean_gate", {hdf5::any});
  for (const std::string& factor : file.children(path + "/mutual_information")) {
    const std::string by_factor = fmt::format("{}/by_{}", path, factor);
    const std::string information = fmt::format("{}/mutual_information/{}", path, factor);
    const hdf5::Shape shape = file.shape(by_factor);
    const auto dimensions = file.read_attribute<std::vector<std::string>>(by_factor, "dimensions");
    FactorMap& map = layer.factors.emplace_back();
    map.factor = factor;
    map.levels.assign(shape.begin() + 1, shape.end());
    map.axes.assign(dimensions.begin() + 1, dimensions.end());
    map.mean_gate = file.read<double>(by_factor);
    map.soft = read_information(file, information + "/soft");
    map.hard = read_information(file, information + "/hard");
  }
  return layer;
}

}  // namespace

void write_analysis(const std::string& run_path, const analysis::Specialisation& result) {
  check_format(hdf5::File::open_read(run_path), {run_format});
  hdf5::AtomicFile file(run_path, hdf5::AtomicFile::Start::copy);
  if (file->exists("/analysis")) file->remove("/analysis");
  file->create_group("/analysis");
  file->write_attribute("/analysis", "split", result.split);
  file->write_attribute("/analysis", "examples", result.examples);
  for (std::size_t l = 0; l < result.layers.size(); ++l) write_layer(*file, layer_path(l), result.layers[l]);
  file.commit();
}

std::optional<analysis::Specialisation> read_analysis(const std::string& run_path) {
  const hdf5::File file = hdf5::File::open_read(run_path);
  check_format(file, {run_format});
  if (!file.exists("/analysis")) return std::nullopt;
  analysis::Specialisation result;
  result.split = file.read_attribute<std::string>("/analysis", "split");
  result.examples = file.read_attribute<std::int64_t>("/analysis", "examples");
  for (std::size_t l = 0; file.exists(layer_path(l)); ++l)
    result.layers.push_back(read_layer(file, layer_path(l)));
  return result;
}

}  // namespace dmoe::io
