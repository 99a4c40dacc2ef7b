// bench size: what a layer costs with more experts, of which each row chooses as many as before.
#include <algorithm>
#include <numeric>

#include <fmt/format.h>

#include "bench/bench.hpp"
#include "bench/census.hpp"
#include "bench/even_top_k.hpp"
#include "bench/gates.hpp"
#include "bench/machine.hpp"
#include "bench/networks.hpp"
#include "bench/products.hpp"
#include "bench/random_dataset.hpp"
#include "bench/repetition.hpp"
#include "bench/stepped_training.hpp"

namespace dmoe::bench {

namespace {

constexpr Index layers = 2;

NamedNetwork network_of(const Options& options, Index experts) {
  const model::LayerSpec layer{experts, options.hidden, std::max<Index>(options.hidden / 4, 1)};
  return {fmt::format("{0}x{1}-{0}x{1}", experts, options.hidden),
          {options.inputs(), class_count, std::vector<model::LayerSpec>(layers, layer)}};
}

/// All samples of one number of experts, on the coordinator.
struct Results {
  Samples step, evaluate, gate, gate_products;
  std::vector<Samples> memory;  // of each rank
  Census census;
};

/// One number of rows, for all numbers of experts.
class Curve {
 public:
  Curve(const comm::Communicator& world, const Options& options, Index rows)
      : world_(world),
        options_(options),
        rows_(rows),
        count_(options.steps.value_or(std::clamp<Index>(32'768 / rows, 1, 20))),
        routing_(options.chosen),
        dataset_(rows, options.inputs(), class_count),
        batch_(rows, options.inputs(), 1),
        results_(options.experts.size()) {
    std::vector<Index> all(dmoe::size(rows));
    std::iota(all.begin(), all.end(), 0);
    dataset_.present(data::Split::test, all, {}, batch_);
  }

  /// Collective.
  void measure() {
    const Index repetitions = options_.repetitions.value_or(5);
    for (Index repetition = -1; repetition < repetitions; ++repetition) {  // the first one warms up
      const bool counts = repetition >= 0;
      measure_triad(counts);
      for (std::size_t i = 0; i < results_.size(); ++i) {
        const NamedNetwork network = network_of(options_, options_.experts[i]);
        measure_training(network.spec, results_[i], counts);
        if (world_.is_coordinator()) measure_gates(network.spec, results_[i], counts);
      }
    }
  }

  /// On the coordinator. Local.
  void record(const Record& record) const {
    const Subject machine{Triad::name, 0, 0, 0, world_.size()};
    record("triad", machine, bandwidth, bandwidths_);
    for (std::size_t i = 0; i < results_.size(); ++i) record_size(record, i);
  }

 private:
  void measure_triad(bool counts) {
    world_.barrier();
    constexpr int runs = 4;
    const double milliseconds = milliseconds_of([&] {
      for (int i = 0; i < runs; ++i) triad_.run();
    });
    const std::vector<double> own{1e-6 * runs * Triad::bytes() / milliseconds};
    const std::vector<double> all = world_.gather(own);
    if (world_.is_coordinator() && counts)
      bandwidths_.push_back(std::accumulate(all.begin(), all.end(), 0.0));
  }

  /// Built anew each time, so that the networks need not stand in memory side by side.
  void measure_training(const model::NetworkSpec& spec, Results& results, bool counts) {
    const Index before = resident_bytes();
    SteppedTraining training(spec, world_, dataset_, rows_, "none");
    distribution::Network& network = training.network();
    for (Index l = 0; l < spec.layer_count(); ++l) network.mixture(l)->route(routing_);
    const distribution::Masks masks = network.no_masks();
    const auto evaluate = [&] {
      network.forward(batch_.inputs(), masks);
      network.loss(batch_.labels());
    };
    training.steps(1);  // takes the memory and compiles products
    if (world_.is_coordinator() && !counts) results.census = census_of(network);
    evaluate();
    const std::vector<double> own{static_cast<double>(resident_bytes() - before)};
    const std::vector<double> memory = world_.gather(own);
    world_.barrier();
    const double step_ms = milliseconds_of([&] { training.steps(count_); });
    world_.barrier();
    const double evaluate_ms = milliseconds_of([&] {
      for (Index i = 0; i < count_; ++i) evaluate();
    });
    if (!world_.is_coordinator() || !counts) return;
    results.step.push_back(step_ms / static_cast<double>(count_));
    results.evaluate.push_back(evaluate_ms / static_cast<double>(count_));
    results.memory.resize(memory.size());
    for (std::size_t rank = 0; rank < memory.size(); ++rank) results.memory[rank].push_back(memory[rank]);
  }

  void measure_gates(const model::NetworkSpec& spec, Results& results, bool counts) const {
    const auto milliseconds = [&](auto alone) {
      alone.steps(1);
      return milliseconds_of([&] { alone.steps(count_); }) / static_cast<double>(count_);
    };
    const double gate_ms = milliseconds(Gates(spec, routing_, rows_));
    const double products_ms = milliseconds(gate_products(spec, rows_));
    if (!counts) return;
    results.gate.push_back(gate_ms);
    results.gate_products.push_back(products_ms);
  }

  void record_size(const Record& record, std::size_t i) const {
    const Results& of = results_[i];
    const Results& first = results_.front();
    const Index experts = options_.experts[i];
    const NamedNetwork network = network_of(options_, experts);
    const Subject subject{network.name, rows_, experts, routing_.most_chosen(experts), world_.size()};
    const auto with_ratio = [&](const std::string& name, const auto& samples_of) {
      record(name, subject, time_ms, samples_of(of));
      if (i > 0) record(name, subject, ratio, ratios(samples_of(of), samples_of(first)));
    };
    with_ratio("step", [](const Results& r) { return r.step; });
    with_ratio("evaluate", [](const Results& r) { return r.evaluate; });
    with_ratio("gate", [](const Results& r) { return r.gate; });
    with_ratio("gate_products", [](const Results& r) { return r.gate_products; });
    with_ratio("step_less_gate_products",
               [](const Results& r) { return differences(r.step, r.gate_products); });
    with_ratio("step_less_gate", [](const Results& r) { return differences(r.step, r.gate); });
    record("weights_moved", subject, bytes, {static_cast<double>(of.census.chosen_weights)});
    const Samples least = inverses(1e-6 * static_cast<double>(of.census.chosen_weights), bandwidths_);
    record("weights_moved", subject, time_ms, least);
    record("step_over_weights_moved", subject, ratio, ratios(of.step, least));
    for (Index rank = 0; rank < world_.size(); ++rank) {
      record("memory", subject, bytes, of.memory[dmoe::size(rank)], rank);
      const Index closed_form = parameter_bytes(network.spec, world_.size(), rank);
      record("parameters_and_gradients", subject, bytes, {static_cast<double>(closed_form)}, rank);
    }
    record("expert_rows", subject, {"rows", ""}, of.census.rows);
    record("row_counts", subject, {"shapes", ""}, {static_cast<double>(of.census.shapes)});
  }

  const comm::Communicator& world_;
  const Options& options_;
  Index rows_;
  Index count_;  // steps of one repetition
  EvenTopK routing_;
  RandomDataset dataset_;
  data::Batch batch_;  // all of it
  Triad triad_;
  Samples bandwidths_;            // of all ranks together, GB/s
  std::vector<Results> results_;  // one for each number of experts
};

}  // namespace

void size_of_layers(const comm::Communicator& world, const Options& options, const Record& record) {
  for (const Index rows : options.rows) {
    Curve curve(world, options, rows);
    curve.measure();
    if (world.is_coordinator()) curve.record(record);
  }
}

}  // namespace dmoe::bench
