// Replicas of a network: the same bits for any grid of ranks, and the gradient of the whole batch.
#include <algorithm>
#include <bit>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "core/error.hpp"
#include "distribution/sample_network.hpp"
#include "model/baseline.hpp"
#include "numerics/architecture.hpp"
#include "support/same_bits.hpp"
#include "support/world.hpp"
#include "training/tiny_dataset.hpp"
#include "training/trainer.hpp"

namespace dmoe::training {
namespace {

using exchange::Grid;
using test::same_bits;
using test::TinyDataset;
using test::world;

PartSpec part(const std::string& name, const std::vector<std::pair<std::string, SettingValue>>& values) {
  PartSpec made{name, {}};
  for (const auto& [key, value] : values) made.settings.set(key, value);
  return made;
}

const PartSpec dense = part("all", {});
PartSpec top(std::int64_t k, const std::string& value, double noise) {
  return part("top_k", {{"k", k}, {"value", value}, {"noise", noise}});
}

std::vector<model::LayerSpec> mixtures() {
  return {{7, 4, 3}, {4, 5, 2}};
}
std::vector<model::LayerSpec> classifiers() {
  return {{5, 4, 3, model::LayerKind::classifier_mixture}};
}

struct Case {
  std::string name;
  PartSpec routing;
  double momentum = 0;
  double weight_decay = 0;
  double max_gradient_norm = 0;
  Index batch_size = 8;  // 22 examples: 8, 8 and 6
  model::Baseline baseline = model::Baseline::none;
  std::vector<model::LayerSpec> layers = mixtures();
  numerics::Precision precision = numerics::Precision::float32;
};

const std::vector<Case>& cases() {
  static const std::vector<Case> all{
      {"dense", dense},
      {"with momentum and decay", dense, 0.9, 0.01},
      {"clipped", dense, 0.9, 0.01, 0.2},
      {"top 2", top(2, "renormalised", 0)},
      {"top 2 with all", top(2, "renormalised", 0.3), 0.9, 0.01, 0.2},
      {"top 1", top(1, "probability", 0.3), 0.9},
      {"top 1, straight through", top(1, "straight_through", 0), 0, 0.01},
      {"threshold",
       part("threshold", {{"probability", 0.2}, {"value", std::string("renormalised")}, {"noise", 0.0}}),
       0.9},
      {"batches of 7", top(2, "renormalised", 0), 0.9, 0.01, 0, 7},
      {"one batch an epoch", dense, 0, 0, 0, 22},
      {"all experts in one product",
       dense,
       0.9,
       0.01,
       0.2,
       22,
       model::Baseline::none,
       {{7, 40, 20}, {4, 50, 18}}},
      {"single", dense, 0.9, 0, 0, 8, model::Baseline::single},
      {"concatenated", dense, 0.9, 0, 0, 8, model::Baseline::concatenated},
      {"an ordinary network", dense, 0.9, 0, 0, 8, model::Baseline::dense_equal_widths},
      {"the mixture of classifiers", dense, 0.9, 0.01, 0, 8, model::Baseline::none, classifiers()},
      {"the mixture of classifiers, top 2", top(2, "renormalised", 0.1), 0.9, 0.01, 0.2, 8,
       model::Baseline::none, classifiers()},
      {"bf16", dense, 0.9, 0, 0, 8, model::Baseline::none, mixtures(), numerics::Precision::bf16},
      {"bf16, top 2", top(2, "renormalised", 0), 0.9, 0, 0, 8, model::Baseline::none, mixtures(),
       numerics::Precision::bf16},
  };
  return all;
}

TrainingSpec spec_of(const Case& one, const Grid& grid) {
  TrainingSpec spec;
  spec.seed = 4;
  spec.batch_size = one.batch_size;
  spec.slices = grid.slices().slices();
  spec.gate_slices = grid.gate_slices().slices();
  spec.momentum = one.momentum;
  spec.weight_decay = one.weight_decay;
  spec.max_gradient_norm = one.max_gradient_norm;
  spec.phases = {{"constrained",
                  3,
                  part("margin", {{"margin", 0.5}}),
                  part("constant", {{"start", 0.5}}),
                  {one.routing}}};
  return spec;
}

model::NetworkSpec network_of(const Case& one) {
  return model::baseline_of({TinyDataset::inputs, TinyDataset::classes, one.layers}, one.baseline);
}

/// A trainer that is led step by step.
struct Training {
  Training(const Case& one, const Grid& grid)
      : spec(spec_of(one, grid)),
        dataset(22, 0, 10),
        network(network_of(one), grid, spec.seed, Trainer::capacity(spec, grid),
                {.precision = one.precision}),
        trainer(spec, network, dataset, observer, [] { return false; }) {
    trainer.begin_phase(0);
  }
  TrainingSpec spec;
  TinyDataset dataset;
  Observer observer;
  distribution::Network network;
  Trainer trainer;
};

/// The values of each parameter by its name, whole, of one rank; or the part of another one that it holds.
using Tensors = std::vector<std::pair<model::Parameter, std::vector<float>>>;
Tensors copied(const std::function<void(const model::ParameterVisitor&)>& for_each) {
  Tensors all;
  for_each([&](const model::Parameter& parameter) {
    all.emplace_back(parameter, std::vector<float>(parameter.values.begin(), parameter.values.end()));
  });
  return all;
}

void expect_same(const Tensors& part, const Tensors& whole, const std::string& what) {
  ASSERT_EQ(part.size(), whole.size());
  for (std::size_t t = 0; t < part.size(); ++t) {
    const auto& [parameter, values] = part[t];
    const Index block = test::block_size(parameter);
    const std::span<const float> expected =
        std::span<const float>(whole[t].second).subspan(size(parameter.first * block), values.size());
    EXPECT_TRUE(same_bits(values, expected)) << parameter.name << " " << what;
  }
}

exchange::BatchCut cut_of(const Grid& grid, const Case& one) {
  return {one.batch_size, grid.slices().slices(), grid.gate_slices().slices()};
}

void expect_same_steps(const Case& one, const Grid& grid) {
  const comm::Communicator alone = comm::Communicator::local();
  Training reference(one, Grid(alone, 1, cut_of(grid, one)));
  Training training(one, grid);
  const std::string of = one.name + ", " + std::to_string(grid.replicas()) + "x" +
                         std::to_string(grid.group().size()) + ", " + std::to_string(grid.slices().slices()) +
                         " slices, " + std::to_string(grid.gate_slices().slices()) + " of the gate" +
                         (grid.gating() == exchange::Gating::rows ? ", rows" : "");
  const auto weights = [](Training& from) {
    return copied([&](const auto& visit) {
      from.trainer.optimizer().catch_up();
      from.network.for_each_parameter(visit);
    });
  };
  const Index steps = 3 * reference.trainer.steps_per_epoch();
  for (Index step = 0; step < steps; ++step) {
    const std::string when = of + ", step " + std::to_string(step + 1);
    const numerics::Loss expected = reference.trainer.step(0.5);
    const numerics::Loss loss = training.trainer.step(0.5);
    EXPECT_EQ(loss.sum, grid.has_gates() ? expected.sum : 0) << when;
    EXPECT_EQ(loss.errors, grid.has_gates() ? expected.errors : 0) << when;
    for (Index l = 0; l < reference.network.spec().layer_count(); ++l) {
      EXPECT_TRUE(
          std::ranges::equal(training.trainer.balancer(l).totals(), reference.trainer.balancer(l).totals()))
          << when;
      EXPECT_TRUE(
          std::ranges::equal(training.trainer.balancer(l).masked(), reference.trainer.balancer(l).masked()))
          << when;
    }
    if (one.momentum != 0 && step % 2 == 0) continue;  // experts may be behind for a while
    expect_same(weights(training), weights(reference), when);
    if (world().all_reduce_max(testing::Test::HasFailure() ? 1 : 0) != 0) return;
  }
  const auto velocities = [](Training& from) {
    return copied([&](const auto& visit) {
      from.trainer.optimizer().for_each_velocity([&](model::Parameter parameter) {
        if (parameter.at_home && !world().is_coordinator())
          parameter.values = {};  // who writes it has it whole
        visit(parameter);
      });
    });
  };
  training.trainer.optimizer().collect_velocities();
  if (grid.replica() == 0) expect_same(velocities(training), velocities(reference), of + ", velocity");
}

/// All grids of the ranks that there are: as many replicas as can be, with gates wherever they can be.
void for_each_grid(const exchange::BatchCut& cut, const std::function<void(const Grid&)>& check) {
  using enum exchange::Gating;
  for (Index replicas = 1; replicas <= world().size(); ++replicas) {
    if (world().size() % replicas != 0 || replicas > cut.slices) continue;
    check(Grid(world(), replicas, cut));
    if (world().size() / replicas <= Grid::most_gating_ranks(cut, replicas))
      check(Grid(world(), replicas, cut, rows));
  }
}

TEST(Replicas, train_with_the_bits_of_one_rank) {
  for (const Case& one : cases()) {
    if (one.precision == numerics::Precision::bf16 && !numerics::has_bf16_products()) continue;
    for (const auto& [slices, gate_slices] : {std::pair<Index, Index>{4, 4}, std::pair<Index, Index>{5, 5},
                                              std::pair<Index, Index>{2, 6}, std::pair<Index, Index>{1, 5}}) {
      for_each_grid({one.batch_size, slices, gate_slices}, [&](const Grid& grid) {
        if (grid.group().size() <= std::max(network_of(one).most_experts(), Index{1}))
          expect_same_steps(one, grid);
      });
    }
  }
}

TEST(Replicas, have_the_gradient_of_the_mean_over_the_whole_batch) {
  const Case one{"dense", dense};
  const comm::Communicator alone = comm::Communicator::local();
  for_each_grid({one.batch_size, 4, 8}, [&](const Grid& grid) {
    Training reference(one, alone);  // not in slices
    Training training(one, grid);
    reference.trainer.step(0);
    training.trainer.step(0);
    training.network.share_gradients();
    std::vector<std::vector<float>> expected;
    reference.network.for_each_parameter([&](const model::Parameter& parameter) {
      expected.emplace_back(parameter.gradient.begin(), parameter.gradient.end());
    });
    std::size_t t = 0;
    training.network.for_each_parameter([&](const model::Parameter& parameter) {
      const auto first = size(parameter.first * test::block_size(parameter));
      for (std::size_t i = 0; i < parameter.gradient.size(); ++i)
        EXPECT_NEAR(parameter.gradient[i], expected[t][first + i], 1e-6) << parameter.name;
      ++t;
    });
  });
}

TEST(Replicas, evaluate_with_the_bits_of_one_rank) {
  const comm::Communicator alone = comm::Communicator::local();
  const Pass pass{data::Split::train, {}, 5};
  const auto never = [] { return false; };
  for (const Case& one : {Case{"dense", dense}, Case{"top 2", top(2, "renormalised", 0)}}) {
    Training reference(one, Grid(alone, 1, {one.batch_size, 4, 8}));
    const std::optional<Score> expected = evaluate(reference.network, reference.dataset, pass, never);
    for_each_grid({one.batch_size, 4, 8}, [&](const Grid& grid) {
      Training training(one, grid);
      const std::optional<Score> score = evaluate(training.network, training.dataset, pass, never);
      ASSERT_TRUE(score);
      if (!world().is_coordinator()) return;
      EXPECT_EQ(score->loss, expected->loss) << one.name;
      EXPECT_EQ(score->error, expected->error) << one.name;
    });
  }
}

TEST(Replicas, name_the_rank_that_differs) {
  const Case one{"dense", dense};
  const int last = world().size() - 1;
  for_each_grid({one.batch_size, 4, 8}, [&](const Grid& grid) {
    Training training(one, grid);
    training.trainer.step(0.5);
    EXPECT_EQ(training.network.differing_rank(), std::nullopt);
    bool is_shared = false;  // whether others hold a parameter that the last rank holds
    Index place = 0;
    training.network.for_each_parameter([&](const model::Parameter& parameter) {
      const auto p = static_cast<std::size_t>(place++);
      if (parameter.values.empty() || !training.network.is_shared(p) || is_shared) return;
      is_shared = true;
      if (world().rank() == last) {
        auto bits = std::bit_cast<std::uint32_t>(parameter.values.back());
        parameter.values.back() = std::bit_cast<float>(bits ^ 1U);
      }
    });
    const std::optional<int> found = training.network.differing_rank();
    const auto expected = world().rank() == last && !is_shared ? std::nullopt : std::optional(last);
    if (world().rank() == last || found) {
      EXPECT_EQ(found, expected);
    }
  });
}

}  // namespace
}  // namespace dmoe::training
