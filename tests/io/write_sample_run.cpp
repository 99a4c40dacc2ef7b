// write_sample_run FOLDER: all ranks train a tiny network on synthetic data and leave run.h5 and model.h5 as
// `dmoe train` does, an analysis in run.h5 included; forward.h5 holds what the network makes of the test set.
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include "analysis/analysis.hpp"
#include "comm/session.hpp"
#include "data/contents.hpp"
#include "data/image_dataset.hpp"
#include "data/synthetic.hpp"
#include "hdf5/atomic_file.hpp"
#include "io/analysis_file.hpp"
#include "io/model_file.hpp"
#include "io/run_file.hpp"
#include "training/trainer.hpp"

namespace {

using namespace dmoe;

constexpr Index validation_examples = 20;

const model::NetworkSpec network_spec{196, 4, {{7, 6, 5}, {4, 5, 3}}};

data::ImageSplits splits() {
  data::ImageSplits result =
      data::synthetic_images({.classes = 4, .train_examples = 220, .test_examples = 90});
  data::hold_out_validation(result, validation_examples, 1);
  return result;
}

training::TrainingSpec training_spec() {
  training::TrainingSpec spec;
  spec.batch_size = 30;
  spec.log_every_steps = 4;
  spec.evaluation.batch_size = 40;
  Settings tight;
  tight.set("margin", 2.0);  // so that experts are masked now and then
  const auto schedule = [](const std::string& name) {
    return training::PartSpec{name, defaults(training::schedules().find(name).settings)};
  };
  spec.phases = {{"constrained", 2, {"margin", tight}, schedule("constant")},
                 {"fine_tune", 1, {"none", {}}, schedule("exponential")}};
  return spec;
}

/// Inputs, labels, translations, logits and gates of the test set.
void write_forward(const std::string& path, distribution::Network& network, const data::Dataset& dataset) {
  std::vector<float> inputs;
  std::vector<float> logits;
  std::vector<std::int32_t> labels;
  std::vector<std::int32_t> translations;
  std::vector<std::vector<float>> gates(size(network.spec().layer_count()));
  const auto append = [](auto& to, const auto& from) { to.insert(to.end(), from.begin(), from.end()); };
  training::for_each_batch(
      network, dataset, {data::Split::test, {}, 40}, [] { return false; },
      [&](const data::Batch& batch) {
        append(inputs, batch.inputs().values());
        append(labels, batch.labels());
        append(translations, batch.factor(1));
        append(logits, network.scores().values());
        for (std::size_t l = 0; l < gates.size(); ++l)
          append(gates[l], network.gates(static_cast<Index>(l)).values());
      });
  if (!network.ranks().is_coordinator()) return;
  const auto rows = static_cast<Index>(labels.size());
  hdf5::AtomicFile file(path);
  file->write("/input", inputs, {rows, dataset.input_width()}, {"1", {"example", "input"}});
  file->write("/label", labels, {rows}, {"1", {"example"}});
  file->write("/translation", translations, {rows}, {"1", {"example"}});
  file->write("/logits", logits, {rows, dataset.class_count()}, {"1", {"example", "class"}});
  for (std::size_t l = 0; l < gates.size(); ++l) {
    file->write(fmt::format("/gates/{}", l + 1), gates[l], {rows, static_cast<Index>(gates[l].size()) / rows},
                {"1", {"example", "expert"}});
  }
  file.commit();
}

void train(const std::string& folder, const comm::Communicator& world) {
  const std::string config = "[train]\nseed = 3\n";
  const training::TrainingSpec spec = training_spec();
  const data::ImageDataset dataset(splits(), {.max_translation = 1, .train_seed = 3, .test_seed = 1});
  distribution::Network network(network_spec, world, 3, training::Trainer::capacity(spec, world));
  const io::DataRecord data{dataset.example_count(data::Split::train), 0,
                            dataset.example_count(data::Split::test), folder, data::contents_of(dataset)};
  training::Observer nobody;
  std::unique_ptr<io::RunFile> run;
  if (world.is_coordinator()) {
    const std::vector<std::string> hosts(size(world.size()), "node1");
    io::LaunchRecord launch;
    launch.launch = {"dmoe train", hosts, "MPI", world.size(), 1, "coordinator", 1, "CPU", "avx2"};
    io::RunSummary begun = io::new_run(config, 3);
    begun.network = {
        "7x6 - 4x5",          io::layer_records(network_spec), network_spec.inputs,
        network_spec.classes, network_spec.parameter_count(),  network_spec.multiply_accumulates()};
    begun.data = data;
    run = std::make_unique<io::RunFile>(folder + "/run.h5", std::move(begun), std::move(launch));
  }
  training::Observer& observer = run ? *run : nobody;
  training::Trainer trainer(spec, network, dataset, observer, [] { return false; });
  trainer.run();
  if (run) run->finish(io::RunStatus::finished, run->summary().launches.back().seconds);
  io::save_model(folder + "/model.h5", network, config, {trainer.steps_done(), spec.epochs(), 0, data});
  const auto result = analysis::analyze(network, dataset, {data::Split::test, {}, 40}, {{300, 7}, 5, 100},
                                        [] { return false; });
  if (run) io::write_analysis(run->path(), *result, config);
  write_forward(folder + "/forward.h5", network, dataset);
}

}  // namespace

int main(int /*argc*/, char** argv) {
  try {
    comm::Session session;
    train(argv[1], session.world());
    session.finalize();
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "write_sample_run: %s\n", error.what());
    comm::Session::abort(1);
  }
}
