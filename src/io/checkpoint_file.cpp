#include "io/checkpoint_file.hpp"

#include <algorithm>
#include <bit>
#include <charconv>
#include <filesystem>
#include <functional>
#include <optional>
#include <system_error>

#include <boost/crc.hpp>
#include <fmt/format.h>

#include "comm/together.hpp"
#include "core/error.hpp"
#include "core/timing.hpp"
#include "hdf5/atomic_file.hpp"
#include "io/format.hpp"
#include "io/model_file.hpp"
#include "io/tensors.hpp"

namespace dmoe::io {

namespace {

namespace fs = std::filesystem;
using training::State;

constexpr const char* state_group = "/state";

/// The step in "step-00000100.h5".
std::optional<Index> step_of(const fs::path& path) {
  const std::string name = path.filename().string();
  constexpr std::string_view front = "step-";
  constexpr std::string_view back = ".h5";
  if (!name.starts_with(front) || !name.ends_with(back)) return std::nullopt;
  Index step = 0;
  const char* const end = name.data() + name.size() - back.size();
  const auto [rest, error] = std::from_chars(name.data() + front.size(), end, step);
  if (error != std::errc() || rest != end) return std::nullopt;
  return step;
}

/// One number of the state, under its name in the file.
template <class T>
struct Field {
  const char* name;
  T& (*member)(State&);
};
constexpr Field<Index> counts[] = {
    {"step", [](State& state) -> Index& { return state.step; }},
    {"epoch", [](State& state) -> Index& { return state.epoch; }},
    {"phase", [](State& state) -> Index& { return state.phase; }},
    {"evaluations", [](State& state) -> Index& { return state.evaluations; }},
    {"evaluated_epoch", [](State& state) -> Index& { return state.evaluated_epoch; }},
    {"window_errors", [](State& state) -> Index& { return state.window.errors; }},
    {"window_examples", [](State& state) -> Index& { return state.window.examples; }},
    {"window_steps", [](State& state) -> Index& { return state.window.steps; }},
};
constexpr Field<double> numbers[] = {
    {"window_loss", [](State& state) -> double& { return state.window.loss; }},
    {"window_learning_rate", [](State& state) -> double& { return state.window.learning_rate; }},
    {"window_seconds", [](State& state) -> double& { return state.window.seconds; }},
};

/// The rows of integers of one layer, under their names in the file.
std::vector<std::pair<const char*, std::vector<Index>*>> rows_of(State& state, std::size_t layer) {
  balance::Balancer::State& balance = state.layers[layer];
  return {{"totals", &balance.totals},
          {"rule_totals", &balance.rule_totals},
          {"masked_steps", &balance.masked_steps},
          {"window_masked_steps", &state.window.masked_steps[layer]}};
}

/// Of every value, in the order of the file. By value: the fields serve reading too.
std::int64_t checksum_of_state(State state, const std::string& instruction_set) {
  boost::crc_32_type crc;
  const auto add = [&](const void* data, std::size_t bytes) { crc.process_bytes(data, bytes); };
  for (const auto& field : counts) add(&field.member(state), sizeof(Index));
  for (const auto& field : numbers) add(&field.member(state), sizeof(double));
  add(instruction_set.data(), instruction_set.size());
  for (std::size_t l = 0; l < state.layers.size(); ++l) {
    for (const auto& [name, row] : rows_of(state, l)) add(row->data(), row->size() * sizeof(Index));
  }
  return crc.checksum();
}

std::string layer_group(std::size_t layer) {
  return fmt::format("{}/layers/{}", state_group, layer + 1);
}

void write_state(hdf5::File& file, State state, const std::string& instruction_set) {
  file.create_group(state_group);
  for (const auto& field : counts) file.write_attribute(state_group, field.name, field.member(state));
  for (const auto& field : numbers) file.write_attribute(state_group, field.name, field.member(state));
  file.write_attribute(state_group, "instruction_set", instruction_set);
  file.write_attribute(state_group, "layers", static_cast<Index>(state.layers.size()));
  file.write_attribute(state_group, "crc32", checksum_of_state(state, instruction_set));
  for (std::size_t l = 0; l < state.layers.size(); ++l) {
    for (const auto& [name, row] : rows_of(state, l)) {
      if (row->empty()) continue;  // no gate
      const bool is_total = std::string_view(name).ends_with("totals");
      file.write(fmt::format("{}/{}", layer_group(l), name), *row, {static_cast<Index>(row->size())},
                 {is_total ? "2^-24 examples" : "steps", {"expert"}});
    }
  }
}

void read_state(const hdf5::File& file, Checkpoint& checkpoint) {
  State& state = checkpoint.state;
  for (const auto& field : counts)
    field.member(state) = file.read_attribute<std::int64_t>(state_group, field.name);
  for (const auto& field : numbers)
    field.member(state) = file.read_attribute<double>(state_group, field.name);
  checkpoint.instruction_set = file.read_attribute<std::string>(state_group, "instruction_set");
  const auto layers = static_cast<Index>(file.children("/model/layers").size());
  if (file.read_attribute<std::int64_t>(state_group, "layers") != layers)
    throw InputError("{}: {} does not have the {} layers of /model", file.path(), state_group, layers);
  state.layers.resize(size(layers));
  state.window.masked_steps.resize(size(layers));
  for (std::size_t l = 0; l < state.layers.size(); ++l) {
    if (!file.exists(layer_group(l))) continue;
    for (const auto& [name, row] : rows_of(state, l))
      *row = file.read<Index>(fmt::format("{}/{}", layer_group(l), name), {hdf5::any});
  }
  if (file.read_attribute<std::int64_t>(state_group, "crc32") !=
      checksum_of_state(state, checkpoint.instruction_set))
    throw InputError("{}: the values of {} do not have its crc32: the file is damaged", file.path(),
                     state_group);
}

TensorList velocities_of(training::Sgd& optimizer) {
  return [&optimizer](const model::ParameterVisitor& visit) { optimizer.for_each_velocity(visit); };
}

}  // namespace

std::string checkpoint_path(const std::string& folder, Index step) {
  return (fs::path(folder) / fmt::format("step-{:08}.h5", step)).string();
}

std::vector<std::string> find_checkpoints(const std::string& folder, Index last_step) {
  std::vector<std::pair<Index, std::string>> found;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(folder, none)) {
    if (const std::optional<Index> step = step_of(entry.path()); step && *step <= last_step)
      found.emplace_back(*step, entry.path().string());
  }
  std::sort(found.rbegin(), found.rend());
  std::vector<std::string> paths;
  for (auto& [step, path] : found) paths.push_back(std::move(path));
  return paths;
}

void prune_checkpoints(const std::string& folder, Index keep, Index last_step) {
  const std::vector<std::string> found = find_checkpoints(folder, last_step);
  std::error_code ignored;  // one too many does no harm
  for (std::size_t i = size(keep); i < found.size(); ++i) fs::remove(found[i], ignored);
}

void save_checkpoint(const std::string& path, distribution::Network& network, training::Sgd& optimizer,
                     const training::State& state, const std::string& instruction_set,
                     const RunSummary& run) {
  const TimedActivity writing(network.ranks().timing(), Activity::io);
  optimizer.collect_velocities();
  if (network.grid().replica() > 0) return;
  hdf5::AtomicFile file(path, network.ranks());
  write_model(*file, network, {state.step, state.epoch, state.phase});
  file->create_group("/optimizer");
  write_tensors(*file, "/optimizer", velocities_of(optimizer), network.ranks());
  file.commit([&](hdf5::File& rest) {
    write_format(rest, checkpoint_format, run.config_toml);
    write_contents(rest, run);
    write_state(rest, state, instruction_set);
  });
}

Checkpoint read_checkpoint(const std::string& path) {
  const hdf5::File file = hdf5::File::open_read(path);
  check_format(file, {checkpoint_format});
  Checkpoint checkpoint;
  checkpoint.run = read_contents(file);
  read_state(file, checkpoint);
  return checkpoint;
}

void load_checkpoint(const std::string& path, distribution::Network& network, training::Sgd& optimizer) {
  const TimedActivity reading(network.ranks().timing(), Activity::io);
  std::optional<hdf5::File> file;
  comm::together(network.grid().world(), [&] {
    if (network.grid().replica() > 0) return;
    file = hdf5::File::open_read(path);
    check_format(*file, {checkpoint_format});
    check_model(*file, network);
    check_tensors(*file, "/optimizer", velocities_of(optimizer));
  });
  const hdf5::File* const source = file ? &*file : nullptr;
  read_model(source, network);
  read_tensors(source, "/optimizer", velocities_of(optimizer), network.grid());
}

}  // namespace dmoe::io
