#include "distribution/network.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include "balance/balancer.hpp"
#include "balance/margin.hpp"
#include "core/error.hpp"
#include "distribution/assignment.hpp"
#include "distribution/reference_network.hpp"
#include "distribution/sample_network.hpp"
#include "numerics/architecture.hpp"
#include "support/random_matrix.hpp"
#include "support/same_bits.hpp"
#include "support/world.hpp"

namespace dmoe::distribution {
namespace {

using test::random_matrix;
using test::ReferenceNetwork;
using test::round_robin_labels;
using test::same_bits;
using test::world;

using Mask = std::vector<std::uint8_t>;

struct Case {
  std::string name;
  model::NetworkSpec spec;
  std::vector<Mask> masks;
  std::map<std::size_t, test::ReferenceRouting> routings{};  // of some layers
};

/// The same in dmoe's terms.
std::unique_ptr<model::Routing> routing_of(const test::ReferenceRouting& routing) {
  const auto value = routing.renormalises ? model::GateValue::renormalised : model::GateValue::probability;
  if (routing.k > 0) return std::make_unique<model::TopK>(routing.k, value);
  return std::make_unique<model::Threshold>(routing.threshold, value);
}

const model::LayerSpec seven{7, 4, 3};
const model::LayerSpec five{5, 3, 4};
const model::LayerSpec three{3, 5, 2};
const model::LayerSpec lone{1, 4, 3};
const model::LayerSpec beside{5, 3, 0, model::LayerKind::concatenated};
const model::LayerSpec single{1, 4, 0, model::LayerKind::single};
const model::LayerSpec dense{1, 6, 0, model::LayerKind::dense};
const model::LayerSpec classifiers{7, 4, 3, model::LayerKind::classifier_mixture};

const std::vector<Case> cases{
    {"depth 1", {6, 3, {seven}}, {Mask(7, 0)}},
    {"depth 2", {6, 3, {seven, five}}, {Mask(7, 0), Mask(5, 0)}},
    {"depth 3", {6, 3, {seven, five, three}}, {Mask(7, 0), Mask(5, 0), Mask(3, 0)}},
    {"some masked",
     {6, 3, {seven, five, three}},
     {Mask{1, 0, 0, 1, 0, 0, 1}, Mask{0, 1, 1, 0, 0}, Mask{0, 0, 1}}},
    {"all but one masked",
     {6, 3, {seven, five, three}},
     {Mask{1, 1, 1, 1, 0, 1, 1}, Mask{0, 1, 1, 1, 1}, Mask{1, 1, 0}}},
    {"single on top", {6, 3, {seven, single}}, {Mask(7, 0), Mask{}}},
    {"single below", {6, 3, {single, seven}}, {Mask{}, Mask{0, 1, 0, 0, 0, 0, 0}}},
    {"concatenated on top", {6, 3, {seven, beside}}, {Mask(7, 0), Mask{}}},
    {"concatenated alone", {6, 3, {beside}}, {Mask{}}},
    {"concatenated below", {6, 3, {beside, dense, seven}}, {Mask{}, Mask{}, Mask(7, 0)}},
    {"classifiers", {6, 3, {classifiers}}, {Mask{0, 0, 1, 0, 0, 0, 0}}},
    {"classifiers on top", {6, 3, {dense, five, classifiers}}, {Mask{}, Mask(5, 0), Mask(7, 0)}},
    {"top 2 of 7", {6, 3, {seven}}, {Mask(7, 0)}, {{0, {.k = 2}}}},
    {"top 2, not renormalised", {6, 3, {seven}}, {Mask(7, 0)}, {{0, {.k = 2, .renormalises = false}}}},
    {"top 1, not renormalised",
     {6, 3, {seven, five}},
     {Mask(7, 0), Mask(5, 0)},
     {{0, {.k = 1, .renormalises = false}}, {1, {.k = 1, .renormalises = false}}}},
    {"top 2, 1 and 3, some masked",
     {6, 3, {seven, five, three}},
     {Mask{1, 0, 0, 1, 0, 0, 1}, Mask{0, 1, 1, 0, 0}, Mask{0, 0, 1}},
     {{0, {.k = 2}}, {1, {.k = 1}}, {2, {.k = 3}}}},
    {"fewer left than k", {6, 3, {seven, five}}, {Mask{1, 1, 1, 1, 0, 1, 1}, Mask(5, 0)}, {{0, {.k = 3}}}},
    {"routed above dense", {6, 3, {seven, five}}, {Mask(7, 0), Mask(5, 0)}, {{1, {.k = 2}}}},
    {"routed below dense", {6, 3, {seven, five}}, {Mask(7, 0), Mask(5, 0)}, {{0, {.k = 2}}}},
    {"a threshold",
     {6, 3, {seven, five}},
     {Mask(7, 0), Mask{0, 1, 0, 0, 0}},
     {{0, {.threshold = 0.2}}, {1, {.threshold = 0.3, .renormalises = false}}}},
    {"nobody reaches the threshold", {6, 3, {seven}}, {Mask(7, 0)}, {{0, {.threshold = 0.99}}}},
    {"classifiers, top 2", {6, 3, {dense, classifiers}}, {Mask{}, Mask(7, 0)}, {{1, {.k = 2}}}},
    {"a layer of one expert", {6, 3, {five, lone, seven}}, {Mask(5, 0), Mask{0}, Mask{0, 1, 0, 0, 0, 0, 0}}},
};

Masks views(const std::vector<Mask>& masks) {
  return {masks.begin(), masks.end()};
}

constexpr Index batch = 5;
constexpr Index capacity = 8;

/// One case on the ranks, and its reference, on inputs that keep every max(0, .) away from its kink.
struct Sample {
  explicit Sample(const Case& of)
      : masks(views(of.masks)),
        labels(round_robin_labels(batch, of.spec.classes)),
        sharded(of.spec, world(), 0, capacity),
        whole(of.spec, alone, 0, capacity),
        reference(of.spec, whole) {
    for (const auto& [l, routing] : of.routings) {
      routings.push_back(routing_of(routing));
      sharded.mixture(static_cast<Index>(l))->route(*routings.back());
    }
    std::uint64_t seed = 0;
    do {
      ++seed;
      test::set_random_weights(whole, seed, 0.7F);
      x = random_matrix(batch, of.spec.inputs, seed);
      reference = ReferenceNetwork(of.spec, whole);
      for (const auto& [l, routing] : of.routings) reference.route(l, routing);
      reference_loss = reference.loss(x.view(), labels, masks);
    } while (reference.nearest_kink() < 3e-4);
    test::set_random_weights(sharded, seed, 0.7F);
  }
  Masks masks;
  std::vector<std::int32_t> labels;
  std::vector<std::unique_ptr<model::Routing>> routings;
  comm::Communicator alone = comm::Communicator::local();
  Network sharded;
  Network whole;
  ReferenceNetwork reference;
  double reference_loss = 0;
  Matrix x;
};

TEST(Network, has_the_loss_and_gates_of_the_reference) {
  for (const Case& each : cases) {
    SCOPED_TRACE(each.name);
    Sample sample(each);
    sample.sharded.forward(sample.x.view(), sample.masks);
    const numerics::Loss loss = sample.sharded.loss(sample.labels);
    EXPECT_NEAR(loss.sum / batch, world().is_coordinator() ? sample.reference_loss : 0.0, 1e-6);
    for (Index l = 0; l < each.spec.layer_count(); ++l) {
      const auto gates = sample.sharded.gates(l).values();
      const std::vector<double>& expected = sample.reference.gates(l);
      ASSERT_EQ(gates.size(), expected.size());
      for (std::size_t i = 0; i < gates.size(); ++i) EXPECT_NEAR(gates[i], expected[i], 1e-6);
    }
  }
}

/// Tolerance: 2e-5 of the largest gradient of the tensor on this rank; float against double in three layers.
TEST(Network, has_the_gradients_of_the_reference) {
  for (const Case& each : cases) {
    SCOPED_TRACE(each.name);
    Sample sample(each);
    sample.sharded.forward(sample.x.view(), sample.masks);
    const numerics::Loss loss = sample.sharded.backward(sample.x.view(), sample.labels);
    EXPECT_NEAR(loss.sum / batch, world().is_coordinator() ? sample.reference_loss : 0.0, 1e-6);
    Index compared = 0;
    sample.sharded.for_each_parameter([&](const model::Parameter& parameter) {
      SCOPED_TRACE(parameter.name);
      const auto first = size(parameter.first * test::block_size(parameter));
      const std::vector<double> expected = sample.reference.gradient(
          parameter.name, first, parameter.gradient.size(), sample.x.view(), sample.labels, sample.masks);
      double largest = 0;
      for (const double value : expected) largest = std::max(largest, std::abs(value));
      for (std::size_t i = 0; i < expected.size(); ++i) {
        EXPECT_NEAR(parameter.gradient[i], expected[i], 2e-5 * largest) << i;
        ++compared;
      }
    });
    std::array<std::int64_t, 1> everywhere{compared};
    world().all_reduce(everywhere);
    EXPECT_EQ(everywhere[0], each.spec.parameter_count());
  }
}

TEST(Network, has_all_rows_and_no_gates_in_layers_without_a_gate) {
  Network network({6, 3, {beside, dense, seven, single}}, world(), 0, capacity);
  const std::vector<Index> experts{5, 1, 7, 1};
  for (const Index rows : {8, 3}) {
    network.forward(random_matrix(rows, 6, 1).view(), network.no_masks());
    for (Index l = 0; l < 4; ++l) {
      EXPECT_EQ(network.mixture(l) != nullptr, l == 2);
      EXPECT_EQ(network.gates(l).rows, rows);
      EXPECT_EQ(network.gates(l).columns, l == 2 ? 7 : 0);
      EXPECT_EQ(network.expert_rows(l), rows * experts[size(l)]);
    }
  }
}

TEST(Network, gives_masked_experts_no_gradient_at_all) {
  for (const Case& each : cases) {
    SCOPED_TRACE(each.name);
    Sample sample(each);
    sample.sharded.forward(sample.x.view(), sample.masks);
    sample.sharded.backward(sample.x.view(), sample.labels);
    sample.sharded.for_each_parameter([&](const model::Parameter& parameter) {
      const bool is_by_expert = parameter.dimensions.front() == "expert";
      if (!is_by_expert) return;
      const Mask& mask = each.masks[size(parameter.name.at(std::string("layers/").size()) - '1')];
      if (mask.empty()) return;
      const auto block = size(test::block_size(parameter));
      for (Index i = 0; i < parameter.count; ++i) {
        if (mask[size(parameter.first + i)] == 0) continue;
        const auto gradient = parameter.gradient.subspan(size(i) * block, block);
        EXPECT_TRUE(std::ranges::all_of(gradient, [](float value) { return value == 0.0F; }))
            << parameter.name << " of expert " << parameter.first + i;
      }
    });
  }
}

TEST(Network, starts_with_the_weights_of_one_rank) {
  const comm::Communicator alone = comm::Communicator::local();
  const model::NetworkSpec spec{6, 3, {seven, five, three}};
  Network sharded(spec, world(), 42, capacity);
  Network whole(spec, alone, 42, capacity);
  std::vector<model::Parameter> expected;
  whole.for_each_parameter([&](const model::Parameter& parameter) { expected.push_back(parameter); });
  std::size_t tensor = 0;
  sharded.for_each_parameter([&](const model::Parameter& parameter) {
    const model::Parameter& of_whole = expected.at(tensor++);
    EXPECT_EQ(parameter.name, of_whole.name);
    EXPECT_EQ(parameter.shape, of_whole.shape);
    EXPECT_EQ(parameter.dimensions, of_whole.dimensions);
    if (parameter.count == 0) return;
    const auto own =
        of_whole.values.subspan(size(parameter.first * test::block_size(parameter)), parameter.values.size());
    EXPECT_TRUE(std::ranges::equal(parameter.values, own)) << parameter.name;
  });
  EXPECT_EQ(tensor, expected.size());
}

/// A network with its balancing, as the trainer runs it.
struct BalancedRun {
  BalancedRun(const model::NetworkSpec& spec, const comm::Communicator& ranks,
              const model::Routing* routing = nullptr)
      : network(spec, ranks, 3, 33), reduction(network) {
    for (Index l = 0; l < spec.layer_count() && routing != nullptr; ++l) {
      if (Mixture* const mixture = network.mixture(l)) mixture->route(*routing);
    }
    for (const model::LayerSpec& layer : spec.layers)
      balancers.emplace_back(layer.choices()).begin_phase(margin);
  }
  numerics::Loss step(ConstMatrixView x, std::span<const std::int32_t> labels) {
    Masks masks;
    for (const balance::Balancer& balancer : balancers) masks.push_back(balancer.masked());
    network.forward(x, masks, model::Presentation{7, presented});
    presented += static_cast<std::uint64_t>(x.rows);
    reduction.start({});
    const numerics::Loss loss = network.backward(x, labels);
    test::descend(network, 0.5F);
    reduction.finish();
    for (std::size_t l = 0; l < balancers.size(); ++l)
      balancers[l].add(reduction.assigned(static_cast<Index>(l)));
    return loss;
  }
  balance::Margin margin{0.5};
  std::uint64_t presented = 0;
  Network network;
  AssignmentReduction reduction;
  std::vector<balance::Balancer> balancers;
};

/// The ranks' run and that of one rank, after every step.
void expect_same_bits(BalancedRun& sharded, BalancedRun& whole) {
  for (Index l = 0; l < whole.network.spec().layer_count(); ++l) {
    EXPECT_TRUE(same_bits(sharded.network.gates(l).values(), whole.network.gates(l).values()))
        << "layer " << l;
    EXPECT_TRUE(std::ranges::equal(sharded.balancers[size(l)].totals(), whole.balancers[size(l)].totals()));
    EXPECT_TRUE(std::ranges::equal(sharded.balancers[size(l)].masked(), whole.balancers[size(l)].masked()));
  }
  std::vector<model::Parameter> expected;
  whole.network.for_each_parameter([&](const model::Parameter& parameter) { expected.push_back(parameter); });
  std::size_t tensor = 0;
  sharded.network.for_each_parameter([&](const model::Parameter& parameter) {
    const model::Parameter& of_whole = expected.at(tensor++);
    if (parameter.count == 0) return;
    const auto first = size(parameter.first * test::block_size(parameter));
    const std::size_t count = parameter.values.size();
    EXPECT_TRUE(same_bits(parameter.gradient, of_whole.gradient.subspan(first, count))) << parameter.name;
    EXPECT_TRUE(same_bits(parameter.values, of_whole.values.subspan(first, count))) << parameter.name;
  });
}

/// Eight steps on the ranks and on one, by default routed alike. Returns how often an expert was masked.
Index train_and_compare(const model::NetworkSpec& spec, const model::Routing* routing = nullptr,
                        const std::optional<const model::Routing*> routing_of_one = {}) {
  const comm::Communicator alone = comm::Communicator::local();
  BalancedRun sharded(spec, world(), routing);
  BalancedRun whole(spec, alone, routing_of_one.value_or(routing));
  const Matrix inputs = random_matrix(33, 30, 1);
  const std::vector<std::int32_t> labels = round_robin_labels(33, 4);
  for (const Index rows : {33, 20, 7, 33, 1, 33, 25, 33}) {
    const std::span<const std::int32_t> some = std::span(labels).first(size(rows));
    const numerics::Loss loss = sharded.step(inputs.first_rows(rows), some);
    const numerics::Loss expected = whole.step(inputs.first_rows(rows), some);
    if (world().is_coordinator()) {
      EXPECT_EQ(loss.sum, expected.sum);
      EXPECT_EQ(loss.errors, expected.errors);
    } else {
      EXPECT_EQ(loss.sum, 0.0);
    }
    expect_same_bits(sharded, whole);
  }
  Index masked_steps = 0;
  for (const balance::Balancer& balancer : sharded.balancers) {
    for (const Index steps : balancer.masked_steps()) masked_steps += steps;
  }
  return masked_steps;
}

TEST(Network, trains_with_the_bits_of_one_rank) {
  EXPECT_GT(train_and_compare({30, 4, {{7, 13, 5}, {5, 9, 3}, {3, 11, 6}}}), 0);  // saw masked experts too
  train_and_compare({30, 4, {{7, 20, 5}, {4, 50, 17}}});  // where all experts of a rank are one product
}

TEST(Network, of_all_kinds_trains_with_the_bits_of_one_rank) {
  using enum model::LayerKind;
  train_and_compare({30, 4, {{7, 13, 5}, {5, 9, 0, concatenated}}});
  train_and_compare({30, 4, {{3, 6, 0, concatenated}, {1, 8, 0, single}, {7, 11, 6}}});
  train_and_compare({30, 4, {{1, 8, 0, dense}, {7, 11, 6, classifier_mixture}}});
}

const model::NetworkSpec deep{30, 4, {{7, 13, 5}, {5, 9, 3}, {3, 11, 6}}};

TEST(Network, routed_trains_with_the_bits_of_one_rank) {
  using enum model::GateValue;
  for (const Index k : {1, 2, 6}) {
    for (const model::GateValue value : {renormalised, probability, straight_through}) {
      SCOPED_TRACE(fmt::format("k = {}, {}", k, model::to_text(value)));
      const model::TopK routing(k, value, k == 2 ? 0.8 : 0.0);
      EXPECT_GT(train_and_compare(deep, &routing), 0);
    }
  }
  const model::Threshold threshold(0.3);
  train_and_compare(deep, &threshold);
  const model::TopK two(2);
  using enum model::LayerKind;
  train_and_compare({30, 4, {{3, 6, 0, concatenated}, {1, 8, 0, single}, {7, 11, 6}}}, &two);
  train_and_compare({30, 4, {{5, 8, 3}, {7, 11, 6, classifier_mixture}}}, &two);
}

/// Chooses by what no gate has to do with.
template <class Choose>
class Adversary : public model::Routing {
 public:
  Adversary(Index most, Choose choose) : most_(most), choose_(choose) {}
  Index most_chosen(Index experts) const override { return std::min(most_, experts); }
  void choose(std::span<const float> p, std::span<const std::uint8_t> masked,
              std::vector<Index>& chosen) const override {
    chosen.clear();
    for (Index i = 0; i < static_cast<Index>(p.size()); ++i) {
      if (masked[size(i)] == 0 && choose_(i, p)) chosen.push_back(i);
    }
    if (chosen.empty()) chosen.push_back(std::ranges::find(masked, 0) - masked.begin());
    if (static_cast<Index>(chosen.size()) > most_chosen(static_cast<Index>(p.size())))
      chosen.resize(size(most_chosen(static_cast<Index>(p.size()))));
  }

 private:
  Index most_;
  Choose choose_;
};

TEST(Network, of_adversarial_routings_trains_with_the_bits_of_one_rank) {
  using P = std::span<const float>;
  const Adversary to_one(1, [](Index i, P) { return i == 2; });
  const Adversary to_the_last(1, [](Index i, P p) { return i + 1 == static_cast<Index>(p.size()); });
  const Adversary to_two(2, [](Index i, P) { return i == 1 || i == 2; });
  const Adversary at_random(7, [](Index i, P p) {
    return static_cast<int>(p[0] * 1e6F + static_cast<float>(i) * p[size(i)] * 1e5F) % 3 == 0;
  });
  for (const model::Routing* routing :
       {static_cast<const model::Routing*>(&to_one), static_cast<const model::Routing*>(&to_the_last),
        static_cast<const model::Routing*>(&to_two), static_cast<const model::Routing*>(&at_random)})
    train_and_compare(deep, routing);
}

TEST(Network, with_all_experts_chosen_has_the_bits_of_the_dense_mixture) {
  /// All of them, the way of those that choose.
  const Adversary everybody(7, [](Index, std::span<const float>) { return true; });
  EXPECT_GT(train_and_compare(deep, &everybody, nullptr), 0);
  EXPECT_TRUE(model::TopK(7).is_dense(7));
  EXPECT_FALSE(model::TopK(6).is_dense(7));
}

TEST(Network, changes_its_routing_between_steps) {
  const comm::Communicator alone = comm::Communicator::local();
  BalancedRun sharded(deep, world());
  BalancedRun whole(deep, alone);
  const Matrix inputs = random_matrix(20, 30, 1);
  const std::vector<std::int32_t> labels = round_robin_labels(20, 4);
  const model::AllExperts all;
  const model::TopK two(2);
  const model::TopK one(1, model::GateValue::probability);
  for (const model::Routing* routing :
       {static_cast<const model::Routing*>(&all), static_cast<const model::Routing*>(&two),
        static_cast<const model::Routing*>(&one), static_cast<const model::Routing*>(&all)}) {
    for (Index l = 0; l < deep.layer_count(); ++l) {
      sharded.network.mixture(l)->route(*routing);
      whole.network.mixture(l)->route(*routing);
    }
    sharded.step(inputs.view(), labels);
    whole.step(inputs.view(), labels);
    expect_same_bits(sharded, whole);
    for (Index l = 0; l < deep.layer_count(); ++l) {
      const Index experts = deep.layers[size(l)].experts;
      const Index most = routing->most_chosen(experts);
      EXPECT_EQ(sharded.network.expert_rows(l), whole.network.expert_rows(l));
      EXPECT_LE(sharded.network.expert_rows(l), 20 * most);
      EXPECT_GE(sharded.network.expert_rows(l), 20);
    }
  }
}

/// Of this rank.
std::vector<float> weights_of(Network& network) {
  std::vector<float> all;
  network.for_each_parameter([&](const model::Parameter& parameter) {
    all.insert(all.end(), parameter.values.begin(), parameter.values.end());
  });
  return all;
}

TEST(Network, of_one_arithmetic_lives_beside_one_of_another) {
  std::vector<numerics::Arithmetic> arithmetics{{.threads = 1}, {.threads = 2}};
  if (numerics::has_bf16_products()) arithmetics.push_back({.precision = numerics::Precision::bf16});
  const Matrix inputs = random_matrix(33, 30, 1);
  const std::vector<std::int32_t> labels = round_robin_labels(33, 4);
  const auto step = [&](Network& network) {
    network.forward(inputs.view(), network.no_masks());
    network.backward(inputs.view(), labels);
    test::descend(network, 0.5F);
  };
  std::vector<std::vector<float>> alone;
  for (const numerics::Arithmetic& arithmetic : arithmetics) {
    Network network(deep, world(), 3, 33, arithmetic);
    for (int t = 0; t < 3; ++t) step(network);
    alone.push_back(weights_of(network));
  }
  std::vector<std::unique_ptr<Network>> together;
  for (const numerics::Arithmetic& arithmetic : arithmetics)
    together.push_back(std::make_unique<Network>(deep, world(), 3, 33, arithmetic));
  for (int t = 0; t < 3; ++t) {
    for (const auto& network : together) step(*network);
  }
  for (std::size_t n = 0; n < together.size(); ++n)
    EXPECT_TRUE(same_bits(weights_of(*together[n]), alone[n])) << n;
  for (std::size_t n = 2; n < alone.size(); ++n) EXPECT_FALSE(same_bits(alone[n], alone[0]));
  EXPECT_EQ(numerics::arithmetic_in_force(), numerics::Arithmetic{});
}

TEST(Network, refuses_more_ranks_than_experts) {
  if (world().size() == 1) {
    const model::NetworkSpec one{6, 3, {lone}};
    EXPECT_NO_THROW(Network(one, world(), 0, capacity));
    EXPECT_NO_THROW(Network({6, 3, {dense}}, world(), 0, capacity));
    return;
  }
  try {
    const Network network({6, 3, {single, dense}}, world(), 0, capacity);
    FAIL() << "nothing was thrown";
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("no layer of this network is split over ranks"));
  }
  const model::NetworkSpec spec{6, 3, {lone, {world().size() - 1, 4, 3}}};
  try {
    const Network network(spec, world(), 0, capacity);
    FAIL() << "nothing was thrown";
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr(fmt::format("at most {} ranks", world().size() - 1)));
  }
}

}  // namespace
}  // namespace dmoe::distribution
