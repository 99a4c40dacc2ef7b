#include "app/bench.hpp"

#include <algorithm>
#include <chrono>
#include <deque>
#include <functional>
#include <optional>
#include <ranges>

#include "app/agreement.hpp"
#include "core/random.hpp"
#include "data/image_dataset.hpp"
#include "distribution/exchange.hpp"
#include "distribution/input_gradient.hpp"
#include "numerics/linear.hpp"
#include "training/trainer.hpp"

namespace dmoe::app {

namespace {

using Clock = std::chrono::steady_clock;

double milliseconds_of(const std::function<void()>& body) {
  const Clock::time_point began = Clock::now();
  body();
  return std::chrono::duration<double, std::milli>(Clock::now() - began).count();
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// A of RECIPE.md on 36 x 36 inputs.
model::NetworkSpec paper_network() {
  return {1296, 10, {{4, 100, 50}, {4, 100, 50}}};
}

/// Images of random pixels, jittered like the paper's: their values do not matter for the time.
data::ImageDataset random_images() {
  data::ImageSplits splits;
  splits.classes = 10;
  splits.train.height = splits.train.width = 28;
  splits.test.height = splits.test.width = 28;
  RandomStream stream(0, Purpose::bench, 0);
  constexpr Index count = 4096;
  for (Index i = 0; i < count; ++i)
    splits.train.labels.push_back(static_cast<std::int32_t>(stream.below(10)));
  for (Index i = 0; i < count * 28 * 28; ++i)
    splits.train.pixels.push_back(static_cast<std::uint8_t>(stream.below(256)));
  return {std::move(splits), {.max_translation = 4, .train_seed = 0, .test_seed = 1}};
}

/// A trainer of A on random images, ready to be stepped.
class SteppedTraining {
 public:
  SteppedTraining(const comm::Communicator& ranks, Index batch_size)
      : spec_(spec_of(batch_size)),
        network_(paper_network(), ranks, spec_.seed, batch_size),
        trainer_(spec_, network_, images_, observer_, [] { return false; }) {
    trainer_.begin_phase(0);
  }
  void steps(Index count) {
    for (Index i = 0; i < count; ++i) trainer_.step(0.01);
  }

 private:
  static training::TrainingSpec spec_of(Index batch_size) {
    const Settings rule = defaults(balance::rules().find("margin").settings);
    const Settings schedule = defaults(training::schedules().find("constant").settings);
    training::TrainingSpec spec;
    spec.batch_size = batch_size;
    spec.evaluation.batch_size = batch_size;
    spec.phases.push_back({"bench", 1, {"margin", rule}, {"constant", schedule}});
    return spec;
  }
  data::ImageDataset images_ = random_images();
  training::TrainingSpec spec_;
  training::Observer observer_;
  distribution::Network network_;
  training::Trainer trainer_;
};

Matrix random_matrix(Index rows, Index columns) {
  Matrix matrix(rows, columns);
  RandomStream stream(0, Purpose::bench, 1);
  for (float& value : matrix.values()) value = stream.uniform(-0.1F, 0.1F);
  return matrix;
}

/// y = x W^T, dW = dy^T x and, where dx is wanted, dx = dy W of one linear part of the network.
class Products {
 public:
  Products(ConstMatrixView x, Index outputs, numerics::Activation activation,
           distribution::InputGradient input_gradient)
      : x_(x),
        weight_(random_matrix(outputs, x.columns)),
        bias_(1, outputs),
        y_(x.rows, outputs),
        d_weight_(outputs, x.columns),
        d_x_(input_gradient == distribution::InputGradient::wanted ? x.rows : 0, x.columns),
        activation_(activation) {}
  ConstMatrixView y() const { return y_.view(); }
  void forward() { numerics::linear(x_, weight_.view(), bias_.values(), activation_, y_.view()); }
  void backward() {
    if (d_x_.rows() > 0) numerics::linear_input_gradient(y_.view(), weight_.view(), d_x_.view());
    numerics::linear_weight_gradient(y_.view(), x_, d_weight_.view());
  }

 private:
  ConstMatrixView x_;
  Matrix weight_, bias_, y_, d_weight_, d_x_;
  numerics::Activation activation_;
};

/// All matrix products of a training step of the network on one rank, in its order and on operands of its
/// sizes.
class StepProducts {
 public:
  StepProducts(const model::NetworkSpec& spec, Index rows) : x_(random_matrix(rows, spec.inputs)) {
    using distribution::InputGradient;
    using numerics::Activation;
    ConstMatrixView x = x_.view();
    for (const auto& [experts, hidden, gate_hidden, kind] : spec.layers) {
      const InputGradient input = products_.empty() ? InputGradient::skipped : InputGradient::wanted;
      const ConstMatrixView gate_hidden_values =
          products_.emplace_back(x, gate_hidden, Activation::relu, input).y();
      products_.emplace_back(gate_hidden_values, experts, Activation::identity, InputGradient::wanted);
      for (Index i = 0; i < experts; ++i) products_.emplace_back(x, hidden, Activation::relu, input);
      x = products_.back().y();
    }
    products_.emplace_back(x, spec.classes, Activation::identity, InputGradient::wanted);
  }
  void steps(Index count) {
    for (Index i = 0; i < count; ++i) {
      for (Products& product : products_) product.forward();
      for (Products& product : std::views::reverse(products_)) product.backward();
    }
  }

 private:
  Matrix x_;
  std::deque<Products> products_;
};

/// Multiply-accumulates of a training step of one example on one of E ranks.
double step_work(const model::NetworkSpec& spec, Index ranks, Index rank) {
  Index work = 0;
  for (Index l = 0; l < spec.layer_count(); ++l) {
    const auto& [experts, hidden, gate_hidden, kind] = spec.layers[size(l)];
    const Index inputs = spec.input_width(l);
    const Index passes = l == 0 ? 2 : 3;  // forward, dW and, above the first layer, dx
    work += passes * inputs * hidden * distribution::Topology(experts, ranks).range(rank).count;
    if (rank == 0) work += passes * inputs * gate_hidden + 3 * gate_hidden * experts;
  }
  if (rank == 0) work += 3 * spec.classes * spec.input_width(spec.layer_count());
  return static_cast<double>(work);
}

/// All work over that of the busiest rank: the most that E ranks can gain.
double speedup_ceiling(const model::NetworkSpec& spec, Index ranks) {
  double all = 0;
  double busiest = 0;
  for (Index rank = 0; rank < ranks; ++rank) {
    all += step_work(spec, ranks, rank);
    busiest = std::max(busiest, step_work(spec, ranks, rank));
  }
  return all / busiest;
}

void bench_batch_size(const comm::Communicator& world, const BenchOptions& options, Index rows) {
  const bool measures = world.is_coordinator();
  const comm::Communicator alone = comm::Communicator::local();
  std::optional<SteppedTraining> on_one;
  std::optional<StepProducts> products;
  if (measures) {
    on_one.emplace(alone, rows);
    products.emplace(paper_network(), rows);
  }
  std::optional<SteppedTraining> on_all;
  agreed(world, [&] { on_all.emplace(world, rows); });
  std::vector<double> one_ms;
  std::vector<double> products_ms;
  std::vector<double> all_ms;
  for (Index repetition = -1; repetition < options.repetitions; ++repetition) {  // the first one warms up
    std::vector<double> times;
    if (measures) {
      times.push_back(milliseconds_of([&] { on_one->steps(options.steps); }));
      times.push_back(milliseconds_of([&] { products->steps(options.steps); }));
    }
    world.barrier();
    times.push_back(milliseconds_of([&] { on_all->steps(options.steps); }));
    if (!measures || repetition < 0) continue;
    const auto per_step = static_cast<double>(options.steps);
    one_ms.push_back(times[0] / per_step);
    products_ms.push_back(times[1] / per_step);
    all_ms.push_back(times[2] / per_step);
  }
  if (!measures) return;
  const double one = median(one_ms);
  const double gemm = median(products_ms);
  const double gflops = 2e-6 * step_work(paper_network(), 1, 0) * static_cast<double>(rows) / gemm;
  fmt::print(
      "  batch {:4}   step {:7.3f} ms   matrix products alone {:7.3f} ms ({:.0f} GFLOP/s)   ratio {:.2f}\n",
      rows, one, gemm, gflops, one / gemm);
  if (world.size() == 1) return;
  const double all = median(all_ms);
  const double ceiling = speedup_ceiling(paper_network(), world.size());
  fmt::print("               {} ranks {:4.3f} ms   speed-up {:.2f} of at most {:.2f} ({:.0f} %)\n",
             world.size(), all, one / all, ceiling, 100 * one / all / ceiling);
}

}  // namespace

void bench_step(const comm::Communicator& world, const BenchOptions& options) {
  if (world.is_coordinator()) {
    fmt::print(
        "One training step of A (4x100 - 4x100, gates 50 - 50), {}, 1 thread per rank;\n"
        "medians of {} repetitions of {} steps, taken in turn\n",
        numerics::instruction_set(), options.repetitions, options.steps);
  }
  for (const Index rows : options.batch_sizes) bench_batch_size(world, options, rows);
}

void bench_sum(const comm::Communicator& world, const BenchOptions& options) {
  constexpr Index width = 100;
  if (world.is_coordinator()) {
    fmt::print(
        "Sum of (B, {}) partial sums over {} ranks onto the coordinator;\n"
        "medians of {} repetitions of {} sums, taken in turn\n",
        width, world.size(), options.repetitions, options.steps);
  }
  const Index ranks = world.size();
  for (const Index rows : options.batch_sizes) {
    for (const Index experts : {ranks, 2 * ranks + 1, 8 * ranks}) {
      const distribution::Topology topology(experts, world.size());
      distribution::TreeReduction tree(world, topology, rows, width, comm::Tag::partial_sums);
      Matrix sum(rows, width);
      std::vector<double> fixed_ms;
      std::vector<double> library_ms;
      for (Index repetition = -1; repetition < options.repetitions; ++repetition) {
        world.barrier();
        const double fixed = milliseconds_of([&] {
          for (Index i = 0; i < options.steps; ++i) {
            tree.begin(rows);
            tree.send();
            tree.combine(sum.view());
          }
        });
        world.barrier();
        const double library = milliseconds_of([&] {
          for (Index i = 0; i < options.steps; ++i) world.reduce_any_order(sum.values());
        });
        if (repetition < 0) continue;
        fixed_ms.push_back(fixed / static_cast<double>(options.steps));
        library_ms.push_back(library / static_cast<double>(options.steps));
      }
      if (!world.is_coordinator()) continue;
      const double fixed = median(fixed_ms);
      const double library = median(library_ms);
      fmt::print(
          "  batch {:4}  experts {:4}   fixed order {:8.4f} ms   MPI_Reduce {:8.4f} ms   ratio {:.2f}\n",
          rows, experts, fixed, library, fixed / library);
    }
  }
}

}  // namespace dmoe::app
