#include "io/model_file.hpp"

#include "comm/session.hpp"
#include "core/error.hpp"
#include "core/timing.hpp"
#include "core/version.hpp"
#include "hdf5/atomic_file.hpp"

namespace dmoe::io {

namespace {

std::string path_of(const model::Parameter& parameter) {
  return "/model/" + parameter.name;
}

std::string layer_path(Index layer) {
  return fmt::format("/model/layers/{}", layer + 1);
}

/// A tensor that ranks share is chunked by expert, so that no two of them write into one chunk.
hdf5::Shape chunk_of(const model::Parameter& parameter) {
  if (parameter.name.find("/experts/") == std::string::npos) return {};
  hdf5::Shape chunk = parameter.shape;
  chunk.front() = 1;
  return chunk;
}

/// Throws InputError where the file holds another network than this. Local.
void check_shapes(const hdf5::File& file, distribution::Network& network) {
  const auto layers = static_cast<Index>(file.children("/model/layers").size());
  if (layers != network.spec().layer_count()) {
    throw InputError("{}: /model/layers has {} layers, expected {}", file.path(), layers,
                     network.spec().layer_count());
  }
  for (Index l = 0; l < layers; ++l) {
    const auto kind = file.read_attribute<std::string>(layer_path(l), "kind");
    const std::string expected = model::to_text(network.spec().layers[size(l)].kind);
    if (kind != expected)
      throw InputError("{}: {} is a layer of kind {}, expected {}", file.path(), layer_path(l), kind,
                       expected);
  }
  network.for_each_parameter([&](const model::Parameter& parameter) {
    const hdf5::Shape found = file.shape(path_of(parameter));
    if (found == parameter.shape) return;
    throw InputError("{}: the shape of {} is {}, expected {}", file.path(), path_of(parameter),
                     hdf5::to_text(found), hdf5::to_text(parameter.shape));
  });
}

}  // namespace

void save_model(const std::string& path, distribution::Network& network, const std::string& config_toml,
                Index step, Index epoch) {
  const TimedActivity writing(network.ranks().timing(), Activity::io);
  hdf5::AtomicFile file(path, network.ranks());
  write_format(*file, model_format, config_toml);
  file->create_group("/provenance");
  file->write_attribute("/provenance", "version", std::string(build_info().version));
  file->write_attribute("/provenance", "git_commit", std::string(build_info().git_commit));
  file->create_group("/model");
  file->write_attribute("/model", "step", step);
  file->write_attribute("/model", "epoch", epoch);
  for (Index l = 0; l < network.spec().layer_count(); ++l) {
    const std::string layer = layer_path(l);
    file->create_group(layer);
    file->write_attribute(layer, "kind", model::to_text(network.spec().layers[size(l)].kind));
  }
  network.for_each_parameter([&](const model::Parameter& parameter) {
    file->create_dataset(
        path_of(parameter),
        {.shape = parameter.shape, .annotation = {"1", parameter.dimensions}, .chunk = chunk_of(parameter)});
    file->write_slab(path_of(parameter), {parameter.first, parameter.count}, parameter.values);
  });
  file.commit();
}

void load_model(const std::string& path, distribution::Network& network) {
  const TimedActivity reading(network.ranks().timing(), Activity::io);
  comm::together(network.ranks(), [&] {
    const hdf5::File file = hdf5::File::open_read(path);
    check_format(file, {model_format});
    check_shapes(file, network);
    network.for_each_parameter([&](const model::Parameter& parameter) {
      file.read_slab(path_of(parameter), {parameter.first, parameter.count}, parameter.values);
    });
  });
}

}  // namespace dmoe::io
