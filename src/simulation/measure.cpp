// dmoe_work_times: measures on one core how long the products of a network and the work between them take, as
// the table that dmoe_smpi charges from. Processor time, so that others on the machine do not count; operands
// that no cache holds.
#include <algorithm>
#include <ctime>
#include <exception>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "core/matrix.hpp"
#include "core/random.hpp"
#include "exchange/route_plan.hpp"
#include "numerics/architecture.hpp"
#include "numerics/kernels.hpp"
#include "numerics/largest.hpp"
#include "numerics/library.hpp"
#include "numerics/linear.hpp"
#include "simulation/work_times.hpp"

namespace dmoe::simulation {

namespace {

struct Options {
  Index hidden = 128;
  Index inputs = 256;
  std::vector<Index> experts{4, 16, 64, 256, 512, 1024};
  Index classes = 10;
  Index most_rows = 32'768;
  Index repetitions = 5;
  Index gate_hidden() const { return std::max<Index>(hidden / 4, 1); }
};

double processor_nanoseconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return 1e9 * static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec);
}

/// Nanoseconds of the body, the median of some runs after one that warms up.
double median_nanoseconds(Index repetitions, const std::function<void()>& body) {
  body();
  std::vector<double> samples;
  for (Index i = 0; i < repetitions; ++i) {
    const double began = processor_nanoseconds();
    body();
    samples.push_back(processor_nanoseconds() - began);
  }
  std::ranges::nth_element(samples, samples.begin() + static_cast<Index>(samples.size()) / 2);
  return samples[samples.size() / 2];
}

Matrix random_matrix(Index rows, Index columns) {
  Matrix matrix(rows, columns);
  RandomStream stream(0, Purpose::bench, 1);
  for (float& value : matrix.values()) value = stream.uniform(-0.1F, 0.1F);
  return matrix;
}

/// Layers of one shape, so many that together they are in no cache.
class Layers {
 public:
  Layers(Index rows, Index outputs, Index inputs)
      : rows_(rows),
        outputs_(outputs),
        inputs_(inputs),
        x_(random_matrix(count() * rows, inputs)),
        y_(random_matrix(count() * rows, outputs)),
        weight_(random_matrix(count() * outputs, inputs)),
        bias_(1, outputs) {}

  /// Of one layer.
  double nanoseconds(Product product, Index repetitions) {
    return median_nanoseconds(repetitions,
                              [&] {
                                for (Index i = 0; i < count(); ++i) run(product, i);
                              }) /
           static_cast<double>(count());
  }

 private:
  Index count() const {
    constexpr Index values = Index{24} << 20;
    return std::clamp<Index>(values / (rows_ * (inputs_ + outputs_) + inputs_ * outputs_), 1, 2048);
  }
  void run(Product product, Index i) {
    const MatrixView x = x_.view().rows_from(i * rows_, rows_);
    const MatrixView y = y_.view().rows_from(i * rows_, rows_);
    const MatrixView weight = weight_.view().rows_from(i * outputs_, outputs_);
    switch (product) {
      case Product::output:
        return numerics::linear(x, weight, bias_.values(), numerics::Activation::relu, y);
      case Product::input_gradient:
        return numerics::linear_input_gradient(y, weight, x);
      case Product::weight_gradient:
        return numerics::linear_weight_gradient(y, x, weight);
      case Product::added_weight_gradient:
        return numerics::add_linear_weight_gradient(y, x, weight);
    }
  }

  Index rows_, outputs_, inputs_;
  Matrix x_, y_, weight_, bias_;
};

void print_products(const Options& options, Index outputs, Index inputs) {
  for (Index rows = 1; rows <= options.most_rows; rows *= 2) {
    for (const Index between : {rows, rows + rows / 2}) {
      if (between > options.most_rows || (between != rows && (rows < 8 || rows > 512))) continue;
      Layers layers(between, outputs, inputs);
      for (std::size_t p = 0; p < product_names.size(); ++p) {
        const double nanoseconds = layers.nanoseconds(static_cast<Product>(p), options.repetitions);
        fmt::print("{},{},{},{},{:.1f}\n", product_names[p], outputs, inputs, between, nanoseconds);
        if (between == 1 && p == 0) std::fflush(stdout);
      }
    }
  }
}

double byte_nanoseconds(Index repetitions) {
  constexpr Index values = Index{16} << 20;
  Matrix a(1, values);
  const Matrix b = random_matrix(1, values);
  const Matrix c = random_matrix(1, values);
  float* const sum = a.values().data();
  const float* const left = b.values().data();
  const float* const right = c.values().data();
  const double nanoseconds = median_nanoseconds(repetitions, [&] {
    for (Index i = 0; i < values; ++i) sum[i] = left[i] + 3.0F * right[i];
  });
  return nanoseconds / static_cast<double>(3 * sizeof(float) * values);
}

double logit_nanoseconds(Index repetitions) {
  constexpr Index rows = 8192;
  constexpr Index experts = 1024;
  const Matrix logits = random_matrix(rows, experts);
  const std::vector<std::uint8_t> masked(size(experts));
  std::vector<Index> largest;
  const double nanoseconds = median_nanoseconds(repetitions, [&] {
    for (Index b = 0; b < rows; ++b) numerics::find_largest(2, logits.view().row(b), masked, largest);
  });
  return nanoseconds / static_cast<double>(rows * experts);
}

double choice_nanoseconds(Index repetitions) {
  constexpr Index rows = 8192;
  constexpr Index experts = 1024;
  constexpr Index chosen = 2;
  Matrix table(rows, model::Choices::columns(chosen));
  const model::Choices choices(table.view());
  RandomStream stream(0, Purpose::bench, 3);
  for (Index b = 0; b < rows; ++b) {
    const auto first = static_cast<Index>(stream.below(experts - 1));
    choices.set(b, 0, first, 0.5F);
    choices.set(b, 1, first + 1, 0.5F);
  }
  const exchange::Topology topology(experts, 16);
  exchange::SentPlan sent(topology);
  std::vector<exchange::OwnedPlan> owned;
  for (Index rank = 0; rank < topology.ranks(); ++rank) owned.emplace_back(topology, rank);
  const auto plan = [&] {
    sent.make(choices, 0);
    for (Index rank = 0; rank < topology.ranks(); ++rank) {
      owned[size(rank)].clear();
      for (Index c = sent.begin(rank); c < sent.begin(rank + 1); ++c) owned[size(rank)].add(sent.choice(c));
      owned[size(rank)].make();
    }
  };
  constexpr double times = 2;  // at the home of its row, and at the owner of its expert
  return median_nanoseconds(repetitions, plan) / (times * static_cast<double>(rows * chosen));
}

double exponential_nanoseconds(const Options& options) {
  constexpr Index rows = 8192;
  const Matrix logits = random_matrix(rows, options.classes);
  Matrix d_logits(rows, options.classes);
  const std::vector<std::int32_t> labels(size(rows));
  const double nanoseconds = median_nanoseconds(
      options.repetitions, [&] { numerics::cross_entropy(logits.view(), labels, d_logits.view(), rows); });
  return nanoseconds / static_cast<double>(rows * options.classes);
}

void print_table(const Options& options) {
  fmt::print("# Processor time of one core, medians of {}, operands in no cache.\n", options.repetitions);
  fmt::print("# CPU: {}; instruction set: {}; {}\n", numerics::cpu_name(), numerics::instruction_set(),
             numerics::library());
  fmt::print("{}\n", WorkTimes::header);
  const std::vector<std::pair<Unit, double>> units{{Unit::byte, byte_nanoseconds(options.repetitions)},
                                                   {Unit::logit, logit_nanoseconds(options.repetitions)},
                                                   {Unit::choice, choice_nanoseconds(options.repetitions)},
                                                   {Unit::exponential, exponential_nanoseconds(options)}};
  for (const auto& [unit, nanoseconds] : units)
    fmt::print("{},0,0,0,{:.5f}\n", unit_names[static_cast<std::size_t>(unit)], nanoseconds);
  print_products(options, options.hidden, options.inputs);         // an expert of the first layer
  print_products(options, options.hidden, options.hidden);         // and above
  print_products(options, options.gate_hidden(), options.inputs);  // a gate
  print_products(options, options.gate_hidden(), options.hidden);
  for (const Index experts : options.experts) print_products(options, experts, options.gate_hidden());
  print_products(options, options.classes, options.hidden);  // the head
}

int run_program(int argc, char** argv) {
  CLI::App app("Measures products and the work between them, on one core: the table of dmoe_smpi");
  Options options;
  app.add_option("--hidden", options.hidden, "H; gates have H / 4")->capture_default_str();
  app.add_option("--inputs", options.inputs, "D of the first layer")->capture_default_str();
  app.add_option("--experts", options.experts, "N, of the gates")->delimiter(',');
  app.add_option("--most-rows", options.most_rows, "of a product")->capture_default_str();
  app.add_option("--repetitions", options.repetitions, "of which the median is taken")->capture_default_str();
  try {
    app.parse(argc, argv);
    print_table(options);
    return 0;
  } catch (const CLI::ParseError& error) {
    return app.exit(error);
  } catch (const std::exception& error) {
    fmt::print(stderr, "dmoe_work_times: {}\n", error.what());
    return 1;
  }
}

}  // namespace

}  // namespace dmoe::simulation

int main(int argc, char** argv) {
  return dmoe::simulation::run_program(argc, argv);
}
