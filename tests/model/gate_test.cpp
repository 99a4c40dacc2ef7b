#include "model/gate.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <span>
#include <vector>

#include <gtest/gtest.h>

#include "support/random_matrix.hpp"

namespace dmoe::model {
namespace {

using test::random_matrix;

constexpr LayerSpec spec{4, 9, 6};
constexpr Index inputs = 11;
constexpr Index batch = 5;

TEST(Gate, is_a_softmax_over_those_not_masked) {
  Gate gate(spec, inputs, 1, Presence::here, 0, batch);
  const Matrix x = random_matrix(batch, inputs, 1);
  Matrix gates = random_matrix(batch, spec.experts, 2);
  gate.forward(x.view(), std::array<std::uint8_t, 4>{0, 1, 0, 0}, gates.view());
  for (Index b = 0; b < batch; ++b) {
    float sum = 0;
    for (const float value : gates.view().row(b)) sum += value;
    EXPECT_NEAR(sum, 1.0F, 1e-6F);
    EXPECT_EQ(gates.view()(b, 1), 0.0F);
    EXPECT_GT(gates.view()(b, 0), 0.0F);
  }
}

TEST(Gate, gets_no_gradient_where_one_expert_is_left) {
  Gate gate(spec, inputs, 1, Presence::here, 0, batch);
  const Matrix x = random_matrix(batch, inputs, 1);
  const Matrix d_gates = random_matrix(batch, spec.experts, 2);
  Matrix gates(batch, spec.experts);
  Matrix d_x = random_matrix(batch, inputs, 3);
  gate.forward(x.view(), std::array<std::uint8_t, 4>{1, 1, 0, 1}, gates.view());
  for (Index b = 0; b < batch; ++b) EXPECT_EQ(gates.view()(b, 2), 1.0F);
  gate.backward_input(gates.view(), d_gates.view(), d_x.view());
  gate.backward_weights(x.view());
  const auto is_zero = [](float value) { return value == 0.0F; };
  EXPECT_TRUE(std::ranges::all_of(d_x.values(), is_zero));
  Index listed = 0;
  gate.for_each_parameter("", [&](const Parameter& parameter) {
    ++listed;
    EXPECT_TRUE(std::ranges::all_of(parameter.gradient, is_zero)) << parameter.name;
  });
  EXPECT_EQ(listed, 4);
}

/// A routed pass of a fresh gate; the gradient of q, the output bias, is the sum of that of the logits.
struct Routed {
  Routed(const Routing& routing, std::span<const std::uint8_t> masked, std::optional<Presentation> shown = {})
      : gate(spec, inputs, 1, Presence::here, 0, batch),
        table(batch, Choices::columns(routing.most_chosen(spec.experts))),
        d_values(random_matrix(batch, routing.most_chosen(spec.experts), 2)),
        d_x(batch, inputs),
        choices(table.view()) {
    // Of random weights the gates are all but even.
    gate.for_each_parameter("", [&](const Parameter& parameter) {
      for (float& value : parameter.values) value *= 10;
    });
    const Matrix x = random_matrix(batch, inputs, 1);
    gate.forward(x.view(), masked, routing, shown, choices);
    gate.backward_input(choices, routing, d_values.view(), d_x.view());
    gate.backward_weights(x.view());
    gate.for_each_parameter("", [&](const Parameter& parameter) {
      if (parameter.name == "/output_bias")
        d_bias.assign(parameter.gradient.begin(), parameter.gradient.end());
    });
    dense = Matrix(batch, spec.experts);
    gate.forward(x.view(), masked, dense.view());
  }
  Gate gate;
  Matrix table;
  Matrix d_values;
  Matrix d_x;
  Choices choices;
  std::vector<float> d_bias;
  Matrix dense;  // (B, N): the softmax over those not masked
};

TEST(Gate, uses_the_values_that_a_routing_asks_for) {
  const std::array<std::uint8_t, 4> masked{0, 1, 0, 0};
  const Routed renormalised(TopK(2), masked);
  const Routed probability(TopK(2, GateValue::probability), masked);
  const Routed straight_through(TopK(2, GateValue::straight_through), masked);
  for (Index b = 0; b < batch; ++b) {
    float kept = 0;
    for (Index j = 0; j < 2; ++j) {
      const Index expert = renormalised.choices.expert(b, j);
      EXPECT_NE(expert, 1);
      EXPECT_EQ(probability.choices.expert(b, j), expert);
      EXPECT_EQ(probability.choices.value(b, j), renormalised.dense.view()(b, expert));
      EXPECT_EQ(straight_through.choices.value(b, j), renormalised.choices.value(b, j));
      kept += probability.choices.value(b, j);
    }
    for (Index j = 0; j < 2; ++j)
      EXPECT_NEAR(renormalised.choices.value(b, j), probability.choices.value(b, j) / kept, 1e-6F);
  }
}

TEST(Gate, learns_straight_through_what_it_learns_from_probabilities) {
  const std::array<std::uint8_t, 4> masked{0, 0, 0, 1};
  for (const Index k : {1, 2}) {
    const Routed probability(TopK(k, GateValue::probability), masked);
    const Routed straight_through(TopK(k, GateValue::straight_through), masked);
    EXPECT_EQ(straight_through.d_bias, probability.d_bias);
    EXPECT_TRUE(std::ranges::equal(straight_through.d_x.values(), probability.d_x.values()));
    EXPECT_TRUE(std::ranges::any_of(probability.d_bias, [](float value) { return value != 0.0F; }));
    EXPECT_EQ(probability.d_bias[3], 0.0F);
  }
  const Routed renormalised(TopK(1), masked);  // of one alone 1, whatever the gate says
  EXPECT_TRUE(std::ranges::all_of(renormalised.d_bias, [](float value) { return value == 0.0F; }));
}

/// A forward and a backward pass of a gate of so many experts on x; all of its gradients.
std::vector<float> gradients_of(Gate& gate, Index experts, const Matrix& x, const Routing& routing) {
  const Index rows = x.rows();
  const std::vector<std::uint8_t> masked(size(experts));
  Matrix d_x(rows, inputs);
  if (routing.is_dense(experts)) {
    Matrix gates(rows, experts);
    gate.forward(x.view(), masked, gates.view());
    gate.backward_input(gates.view(), random_matrix(rows, experts, 2).view(), d_x.view());
  } else {
    const Index most = routing.most_chosen(experts);
    Matrix table(rows, Choices::columns(most));
    gate.forward(x.view(), masked, routing, {}, Choices(table.view()));
    gate.backward_input(ConstChoices(table.view()), routing, random_matrix(rows, most, 2).view(), d_x.view());
  }
  gate.backward_weights(x.view());
  std::vector<float> gradients(d_x.values().begin(), d_x.values().end());
  gate.for_each_parameter("", [&](const Parameter& parameter) {
    gradients.insert(gradients.end(), parameter.gradient.begin(), parameter.gradient.end());
  });
  return gradients;
}

TEST(Gate, remembers_nothing_of_the_batch_before) {
  constexpr LayerSpec of_many{16, 9, 6};
  const AllExperts all;
  const TopK one(1, GateValue::probability);
  const TopK two(2);
  const Threshold many(0.05);
  const std::array<const Routing*, 10> routings{&two, &two, &all, &two, &many, &many, &two, &one, &two, &all};
  Gate gate(of_many, inputs, 1, Presence::here, 0, batch);
  for (std::size_t i = 0; i < routings.size(); ++i) {
    const Matrix x = random_matrix(i % 3 == 0 ? batch : batch - 2, inputs, i + 10);
    Gate fresh(of_many, inputs, 1, Presence::here, 0, batch);
    EXPECT_EQ(gradients_of(gate, of_many.experts, x, *routings[i]),
              gradients_of(fresh, of_many.experts, x, *routings[i]))
        << i;
  }
}

/// d_logit_i = p_i (d_p_i - sum_j p_j d_p_j), d_p 0 where not chosen.
TEST(Gate, gives_the_gradient_of_probabilities_to_those_not_chosen_too) {
  const std::array<std::uint8_t, 4> masked{0, 0, 0, 0};
  const Routed routed(TopK(1, GateValue::probability), masked);
  std::vector<double> expected(4);
  for (Index b = 0; b < batch; ++b) {
    const Index chosen = routed.choices.expert(b, 0);
    const double mean = routed.dense.view()(b, chosen) * routed.d_values.view()(b, 0);
    for (Index i = 0; i < 4; ++i) {
      const double d_p = i == chosen ? routed.d_values.view()(b, 0) : 0.0;
      expected[size(i)] += routed.dense.view()(b, i) * (d_p - mean);
    }
  }
  for (std::size_t i = 0; i < 4; ++i) EXPECT_NEAR(routed.d_bias[i], expected[i], 1e-6) << i;
}

TEST(Gate, adds_noise_where_examples_are_presented_alone) {
  const std::array<std::uint8_t, 4> masked{0, 0, 0, 0};
  const TopK noisy(1, GateValue::probability, 30.0);
  const auto experts = [](const Routed& routed) {
    std::vector<Index> chosen;
    for (Index b = 0; b < batch; ++b) chosen.push_back(routed.choices.expert(b, 0));
    return chosen;
  };
  const std::vector<Index> quiet = experts(Routed(TopK(1, GateValue::probability), masked));
  EXPECT_EQ(experts(Routed(noisy, masked)), quiet);
  const std::vector<Index> heard = experts(Routed(noisy, masked, Presentation{3, 100}));
  EXPECT_NE(heard, quiet);
  EXPECT_EQ(experts(Routed(noisy, masked, Presentation{3, 100})), heard);
  EXPECT_NE(experts(Routed(noisy, masked, Presentation{4, 100})), heard);
}

TEST(Gate, lists_its_parameters_where_it_is_elsewhere) {
  Gate gate(spec, inputs, 1, Presence::elsewhere, 0, batch);
  std::vector<std::vector<Index>> shapes;
  gate.for_each_parameter("", [&](const Parameter& parameter) {
    shapes.push_back(parameter.shape);
    EXPECT_EQ(parameter.count, 0);
    EXPECT_TRUE(parameter.values.empty());
  });
  EXPECT_EQ(shapes, (std::vector<std::vector<Index>>{{6, 11}, {6}, {4, 6}, {4}}));
}

}  // namespace
}  // namespace dmoe::model
