#include "io/model_file.hpp"

#include <optional>

#include "comm/together.hpp"
#include "core/error.hpp"
#include "core/timing.hpp"
#include "core/version.hpp"
#include "hdf5/atomic_file.hpp"
#include "io/tensors.hpp"

namespace dmoe::io {

namespace {

std::string layer_path(Index layer) {
  return fmt::format("/model/layers/{}", layer + 1);
}

/// Throws InputError where the file holds another network than this. Local.
void check_layers(const hdf5::File& file, distribution::Network& network) {
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
}

TensorList parameters_of(distribution::Network& network) {
  return [&network](const model::ParameterVisitor& visit) { network.for_each_parameter(visit); };
}

}  // namespace

void write_model(hdf5::File& file, distribution::Network& network, const Trained& trained) {
  file.create_group("/model");
  file.write_attribute("/model", "step", trained.step);
  file.write_attribute("/model", "epoch", trained.epoch);
  file.write_attribute("/model", "phase", trained.phase);
  for (Index l = 0; l < network.spec().layer_count(); ++l) {
    const std::string layer = layer_path(l);
    file.create_group(layer);
    file.write_attribute(layer, "kind", model::to_text(network.spec().layers[size(l)].kind));
  }
  write_tensors(file, "/model", parameters_of(network), network.ranks());
}

void check_model(const hdf5::File& file, distribution::Network& network) {
  check_layers(file, network);
  check_tensors(file, "/model", parameters_of(network));
}

void read_model(const hdf5::File* file, distribution::Network& network) {
  read_tensors(file, "/model", parameters_of(network), network.grid());
}

void save_model(const std::string& path, distribution::Network& network, const std::string& config_toml,
                const Trained& trained) {
  if (network.grid().replica() > 0) return;
  const TimedActivity writing(network.ranks().timing(), Activity::io);
  hdf5::AtomicFile file(path, network.ranks());
  write_format(*file, model_format, config_toml);
  file->create_group("/provenance");
  file->write_attribute("/provenance", "version", std::string(build_info().version));
  file->write_attribute("/provenance", "git_commit", std::string(build_info().git_commit));
  write_data(*file, trained.data);
  write_model(*file, network, trained);
  file.commit();
}

Trained read_trained(const std::string& path) {
  const hdf5::File file = hdf5::File::open_read(path);
  check_format(file, {model_format, checkpoint_format});
  const auto number = [&](const char* name) { return file.read_attribute<std::int64_t>("/model", name); };
  return {number("step"), number("epoch"), file.has_attribute("/model", "phase") ? number("phase") : -1,
          read_data(file)};
}

void load_model(const std::string& path, distribution::Network& network) {
  const TimedActivity reading(network.ranks().timing(), Activity::io);
  std::optional<hdf5::File> file;
  comm::together(network.grid().world(), [&] {
    if (network.grid().replica() > 0) return;
    file = hdf5::File::open_read(path);
    check_format(*file, {model_format, checkpoint_format});
    check_model(*file, network);
  });
  read_model(file ? &*file : nullptr, network);
}

}  // namespace dmoe::io
