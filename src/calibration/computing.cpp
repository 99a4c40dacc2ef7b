#include "calibration/computing.hpp"

#include <algorithm>
#include <cmath>
#include <ctime>
#include <functional>
#include <numeric>

#include "bench/measurement.hpp"
#include "bench/networks.hpp"
#include "bench/products.hpp"
#include "data/dataset.hpp"
#include "exchange/route_plan.hpp"
#include "model/routing.hpp"
#include "numerics/kernels.hpp"
#include "numerics/linear.hpp"
#include "numerics/tiled_linear.hpp"

namespace dmoe::calibration {

namespace {

using bench::Samples;

constexpr double long_enough_ms = 1;  // of one sample, above what a clock is off by

/// Milliseconds of the processor that `body` takes: what else runs on it meanwhile does not count.
double milliseconds_of(const std::function<void()>& body) {
  const auto now = [] {
    timespec time{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return 1e3 * static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_nsec);
  };
  const double began = now();
  body();
  return now() - began;
}

/// How often a body is to run so that a sample is long enough, after a run that warms it up. Local.
Index count_for(const std::function<void()>& body) {
  body();
  const double once = std::max(1e-5, milliseconds_of(body));
  return std::clamp(static_cast<Index>(std::ceil(long_enough_ms / once)), Index{1}, Index{10'000});
}

/// What is measured in turn, and the seconds that each takes.
class Contest {
 public:
  void add(std::function<void()> body) {
    const Index count = count_for(body);
    bodies_.push_back({std::move(body), count, {}});
  }
  /// Medians, in the order of adding. Local.
  std::vector<double> seconds(Index repetitions) {
    for (Index repetition = 0; repetition < repetitions; ++repetition) {
      for (Body& one : bodies_) {
        const double milliseconds = milliseconds_of([&] {
          for (Index i = 0; i < one.count; ++i) one.run();
        });
        one.samples.push_back(1e-3 * milliseconds / static_cast<double>(one.count));
      }
    }
    std::vector<double> medians;
    for (const Body& one : bodies_) medians.push_back(bench::spread_of(one.samples).median);
    return medians;
  }

 private:
  struct Body {
    std::function<void()> run;
    Index count;
    Samples samples;
  };
  std::vector<Body> bodies_;
};

/// Numbers, of which each product takes the next ones: so it finds its operands as far from the processor as
/// a product of a step does, between two of whose turns all others come.
class Numbers {
 public:
  explicit Numbers(Index largest) : values_(bench::random_matrix(1, std::max(largest, at_least))) {}

  MatrixView next(Index rows, Index columns) {
    const Index count = rows * columns;
    if (used_ + count > values_.columns()) used_ = 0;
    float* const first = values_.values().data() + used_;
    used_ += (count + line - 1) / line * line;
    return {first, rows, columns};
  }

 private:
  static constexpr Index at_least = Index{1} << 21;  // 8 MiB: more than a core has for itself
  static constexpr Index line = 16;                  // floats of a line of the cache
  Matrix values_;
  Index used_ = 0;
};

class Operands {
 public:
  explicit Operands(const Plan& plan)
      : x_(plan.rows.back() * plan.inputs.back()),
        weight_(plan.outputs.back() * plan.inputs.back()),
        bias_(1, plan.outputs.back()),
        y_(plan.rows.back() * plan.outputs.back()),
        d_x_(plan.rows.back() * plan.inputs.back()),
        d_weight_(plan.outputs.back() * plan.inputs.back()) {}

  void add(Index m, Index n, Index k, Contest& forward, Contest& input_gradient, Contest& weight_gradient) {
    forward.add([=, this] {
      numerics::linear(x_.next(m, k), weight_.next(n, k), bias_.values().first(size(n)),
                       numerics::Activation::relu, y_.next(m, n));
    });
    input_gradient.add(
        [=, this] { numerics::linear_input_gradient(y_.next(m, n), weight_.next(n, k), d_x_.next(m, k)); });
    weight_gradient.add(
        [=, this] { numerics::linear_weight_gradient(y_.next(m, n), x_.next(m, k), d_weight_.next(n, k)); });
  }

 private:
  Numbers x_, weight_;
  Matrix bias_;
  Numbers y_, d_x_, d_weight_;
};

void measure_products(const Plan& plan, scale::Machine& machine) {
  Operands operands(plan);
  Contest forward;
  Contest input_gradient;
  Contest weight_gradient;
  for (const Index m : plan.rows)
    for (const Index n : plan.outputs)
      for (const Index k : plan.inputs) operands.add(m, n, k, forward, input_gradient, weight_gradient);
  const auto table = [&](Contest& contest) {
    return scale::ProductTable{plan.rows, plan.outputs, plan.inputs, contest.seconds(plan.repetitions)};
  };
  machine.forward = table(forward);
  machine.input_gradient = table(input_gradient);
  machine.weight_gradient = table(weight_gradient);
}

/// Bytes a second of w -= rate g, over arrays of a network's size: 4 MiB each.
double memory_bandwidth(Index repetitions) {
  constexpr Index values = Index{1} << 20;
  Matrix w(1, values);
  const Matrix g = bench::random_matrix(1, values);
  Contest contest;
  contest.add([&] {
    float* const to = w.values().data();
    const float* const from = g.view().data;
    for (Index i = 0; i < values; ++i) to[i] -= 0.001F * from[i];
  });
  return 3.0 * sizeof(float) * static_cast<double>(values) / contest.seconds(repetitions).front();
}

/// Of images that are moved about, as the paper's.
double presenting(Index repetitions) {
  constexpr Index rows = 128;
  const data::ImageDataset images = bench::random_images(rows, 1);
  std::vector<Index> examples(size(rows));
  std::iota(examples.begin(), examples.end(), 0);
  data::Batch batch(rows, images.input_width(), images.factors().size());
  Contest contest;
  contest.add([&] { images.present(data::Split::train, examples, {}, batch); });
  return contest.seconds(repetitions).front() / static_cast<double>(rows * images.input_width());
}

struct GateCosts {
  double softmax, choosing, planning;
};

GateCosts gate_costs(Index repetitions) {
  constexpr Index rows = 512;
  constexpr Index experts = 256;
  constexpr Index most = 2;
  const Matrix logits = bench::random_matrix(rows, experts);
  Matrix gates(rows, experts);
  const std::vector<std::uint8_t> masked(size(experts));
  const model::TopK top(most);
  std::vector<Index> chosen;
  Matrix table(rows, model::Choices::columns(most));
  const model::Choices choices(table.view());
  for (Index b = 0; b < rows; ++b)
    for (Index j = 0; j < most; ++j) choices.set(b, j, (b * 7 + j * 31) % experts, 0.5F);
  const exchange::Topology alone(experts, 1);
  exchange::RoutePlan plan(alone, 0);
  Contest contest;
  contest.add([&] { numerics::masked_softmax(logits.view(), masked, gates.view()); });
  contest.add([&] {
    for (Index b = 0; b < rows; ++b) top.choose_by_logits(logits.view().row(b), masked, chosen);
  });
  contest.add([&] {
    plan.sent.make(choices, 0);
    plan.owned.clear();
    for (Index c = 0; c < plan.sent.count(); ++c) plan.owned.add(plan.sent.choice(c));
    plan.owned.make();
  });
  const std::vector<double> seconds = contest.seconds(repetitions);
  constexpr auto values = static_cast<double>(rows * experts);
  return {seconds[0] / values, seconds[1] / values,
          seconds[2] / static_cast<double>(2 * rows * most)};  // as home and owner
}

/// Whether products of the paper's sizes are made at once, slices and experts, as their bits allow.
bool makes_products_at_once() {
  constexpr Index rows = 128;
  constexpr Index pixels = 1296;
  constexpr Index experts = 4;
  constexpr Index hidden = 100;
  return numerics::is_one_product(rows, pixels, experts * hidden, numerics::Activation::relu,
                                  {rows / 2, hidden});
}

}  // namespace

void measure_computing(const Plan& plan, scale::Machine& machine) {
  machine.at_once = makes_products_at_once();
  measure_products(plan, machine);
  machine.memory_bandwidth = memory_bandwidth(plan.repetitions);
  machine.presenting = presenting(plan.repetitions);
  const GateCosts costs = gate_costs(plan.repetitions);
  machine.softmax = costs.softmax;
  machine.choosing = costs.choosing;
  machine.planning = costs.planning;
}

}  // namespace dmoe::calibration
