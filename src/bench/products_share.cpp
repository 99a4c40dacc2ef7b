// bench step and bench evaluate: what all of a pass costs over its matrix products alone.
#include <algorithm>
#include <deque>

#include "bench/bench.hpp"
#include "bench/machine.hpp"
#include "bench/products.hpp"
#include "bench/repetition.hpp"
#include "bench/stepped_training.hpp"
#include "numerics/architecture.hpp"

namespace dmoe::bench {

namespace {

/// What is measured of one batch size, on the coordinator.
struct Case {
  Case(const NamedNetwork& network, Index rows, Pass pass, Index count)
      : images(random_images(rows, pass == Pass::step ? 1 : count)),
        training(network.spec, alone, images, rows, "margin"),
        products(network_products(network.spec, rows)) {}

  comm::Communicator alone = comm::Communicator::local();
  data::ImageDataset images;
  SteppedTraining training;
  Products products;
};

/// The product, then the loop where there is one.
std::vector<Task> peak_tasks(numerics::MultiplyAddLoop& loop, SquareProduct& product) {
  std::vector<Task> tasks{{Where::coordinator, 1, [&] { product.run(); }}};
  if (numerics::MultiplyAddLoop::is_available())
    tasks.push_back({Where::coordinator, 1, [&] { loop.run(); }});
  return tasks;
}

/// Names of the whole and of its products.
struct Names {
  std::string whole;
  std::string products;
};

void record_case(const Record& record, const Names& names, const Subject& subject, double macs,
                 const Samples& whole, const Samples& products, const Samples& peak) {
  const double scale = 2e-6 * macs;  // ms to GFLOP/s
  record(names.whole, subject, time_ms, whole);
  record(names.products, subject, time_ms, products);
  record(names.whole, subject, ratio, ratios(whole, products));
  record(names.whole, subject, gflops, inverses(scale, whole));
  record(names.products, subject, gflops, inverses(scale, products));
  record(names.whole, subject, share, ratios(inverses(scale, whole), peak));
  record(names.products, subject, share, ratios(inverses(scale, products), peak));
}

void measure(const comm::Communicator& world, const Options& options, const Record& record, Pass pass,
             const Names& names, const std::vector<Index>& batch_sizes) {
  if (!world.is_coordinator()) return;  // the others wait for what comes next
  const comm::Communicator alone = comm::Communicator::local();
  const Index count = options.steps.value_or(50);
  numerics::MultiplyAddLoop loop;
  SquareProduct square;
  std::deque<Case> cases;
  std::vector<Task> tasks = peak_tasks(loop, square);
  const std::size_t first = tasks.size();
  for (const Index rows : batch_sizes) {
    Case& of = cases.emplace_back(options.network, rows, pass, count);
    if (pass == Pass::step) {
      tasks.push_back({Where::coordinator, count, [&of, count] { of.training.steps(count); }});
      tasks.push_back({Where::coordinator, count, [&of, count] { of.products.steps(count); }});
    } else {
      tasks.push_back({Where::coordinator, count, [&of] { of.training.evaluate(); }});
      tasks.push_back({Where::coordinator, count, [&of, count] { of.products.forwards(count); }});
    }
  }
  const std::vector<Samples> samples = in_turn(alone, options.repetitions.value_or(7), tasks);
  const Peak peak = peak_of(first > 1 ? samples[1] : Samples{}, samples[0]);
  record("peak", {peak.name}, gflops, peak.gflops);
  for (std::size_t i = 0; i < batch_sizes.size(); ++i) {
    const auto macs = static_cast<double>(cases[i].products.multiply_accumulates(pass));
    record_case(record, names, options.network.subject(batch_sizes[i], 1), macs, samples[first + 2 * i],
                samples[first + 2 * i + 1], peak.gflops);
  }
}

}  // namespace

void step(const comm::Communicator& world, const Options& options, const Record& record) {
  measure(world, options, record, Pass::step, {"step", "products"}, options.batch_sizes_or({100, 128, 512}));
}

void evaluate(const comm::Communicator& world, const Options& options, const Record& record) {
  measure(world, options, record, Pass::evaluation, {"evaluate", "forward_products"},
          options.batch_sizes_or({training::EvaluationSpec{}.batch_size}));
}

}  // namespace dmoe::bench
