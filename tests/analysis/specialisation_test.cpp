#include "analysis/specialisation.hpp"

#include <cmath>
#include <numeric>
#include <vector>

#include <gtest/gtest.h>

#include "support/world.hpp"

namespace dmoe::analysis {
namespace {

using test::world;

constexpr Index examples = 50;
constexpr Index width = 6;

/// Factor 0 is the class of 3, factor 1 a place of (2, 2), of which level 3 never comes; example i always
/// looks the same.
class TinyDataset final : public data::Dataset {
 public:
  Index input_width() const override { return width; }
  Index class_count() const override { return 3; }
  Index example_count(data::Split split) const override { return split == data::Split::test ? examples : 0; }
  const std::vector<data::Factor>& factors() const override { return factors_; }
  void present(data::Split /*split*/, std::span<const Index> shown, data::Draw /*draw*/,
               data::Batch& batch) const override {
    batch.rows = static_cast<Index>(shown.size());
    for (Index r = 0; r < batch.rows; ++r) {
      RandomStream stream(1, Purpose::test, static_cast<std::uint64_t>(shown[size(r)]));
      for (float& x : batch.inputs().row(r)) x = stream.uniform(-3, 3);
      batch.labels()[size(r)] = class_of(shown[size(r)]);
      batch.factor(0)[size(r)] = class_of(shown[size(r)]);
      batch.factor(1)[size(r)] = place_of(shown[size(r)]);
    }
  }
  static std::int32_t class_of(Index example) { return static_cast<std::int32_t>(example % 3); }
  static std::int32_t place_of(Index example) { return static_cast<std::int32_t>(example / 7 % 3); }

 private:
  std::vector<data::Factor> factors_{{"class", {3}, {"class"}}, {"place", {2, 2}, {"row", "column"}}};
};

const model::NetworkSpec spec{width, 3, {{7, 5, 4}, {4, 3, 2}}};

/// The gates (examples, N) of a layer, by a network of one rank.
std::vector<std::vector<float>> gates_of(Index layer) {
  const comm::Communicator alone = comm::Communicator::local();
  distribution::Network network(spec, alone, 3, examples);
  const TinyDataset dataset;
  data::Batch batch(examples, width, 2);
  std::vector<Index> all(size(examples));
  std::iota(all.begin(), all.end(), 0);
  dataset.present(data::Split::test, all, {}, batch);
  network.forward(batch.inputs(), network.no_masks());
  std::vector<std::vector<float>> rows;
  for (Index b = 0; b < examples; ++b) {
    const auto row = network.gates(layer).row(b);
    rows.emplace_back(row.begin(), row.end());
  }
  return rows;
}

/// What the test data set and network are measured as. Collective.
Specialisation measured(Index batch_size) {
  distribution::Network network(spec, world(), 3, batch_size);
  const TinyDataset dataset;
  const auto result = measure(network, dataset, {data::Split::test, {}, batch_size}, [] { return false; });
  return result.value();
}

TEST(Specialisation, is_on_the_coordinator) {
  const Specialisation found = measured(16);
  EXPECT_EQ(found.split, "test");
  EXPECT_EQ(found.examples, examples);
  EXPECT_EQ(found.layers.size(), world().is_coordinator() ? 2U : 0U);
}

TEST(Specialisation, means_are_those_of_a_naive_loop) {
  const Specialisation found = measured(16);  // 50 examples in batches of 16: the last has 2
  for (std::size_t l = 0; l < found.layers.size(); ++l) {
    const auto gates = gates_of(static_cast<Index>(l));
    const std::size_t experts = gates.front().size();
    ASSERT_EQ(found.layers[l].mean_gate.size(), experts);
    for (std::size_t e = 0; e < experts; ++e) {
      double mean = 0;
      for (const auto& row : gates) mean += static_cast<double>(row[e]) / examples;
      EXPECT_NEAR(found.layers[l].mean_gate[e], mean, 1e-12);
      for (std::size_t f = 0; f < 2; ++f) {
        const std::size_t levels = f == 0 ? 3 : 4;
        for (std::size_t level = 0; level < levels; ++level) {
          double sum = 0;
          double count = 0;
          for (Index i = 0; i < examples; ++i) {
            const std::int32_t is = f == 0 ? TinyDataset::class_of(i) : TinyDataset::place_of(i);
            if (is != static_cast<std::int32_t>(level)) continue;
            sum += static_cast<double>(gates[size(i)][e]);
            count += 1;
          }
          const double value = found.layers[l].factors[f].mean_gate[e * levels + level];
          if (count == 0) {
            EXPECT_TRUE(std::isnan(value));
          } else {
            EXPECT_NEAR(value, sum / count, 1e-12) << "layer " << l << " expert " << e << " level " << level;
          }
        }
      }
    }
  }
}

TEST(Specialisation, names_factors_and_their_axes) {
  for (const LayerSpecialisation& layer : measured(50).layers) {
    ASSERT_EQ(layer.factors.size(), 2U);
    EXPECT_EQ(layer.factors[0].factor, "class");
    EXPECT_EQ(layer.factors[1].factor, "place");
    EXPECT_EQ(layer.factors[1].levels, (std::vector<Index>{2, 2}));
    EXPECT_EQ(layer.factors[1].axes, (std::vector<std::string>{"row", "column"}));
  }
}

TEST(Specialisation, information_is_that_of_the_joint_distribution) {
  const Specialisation found = measured(16);
  for (std::size_t l = 0; l < found.layers.size(); ++l) {
    const auto gates = gates_of(static_cast<Index>(l));
    const std::size_t experts = gates.front().size();
    std::vector<double> soft(experts * 3);
    std::vector<double> hard(experts * 3);
    for (Index i = 0; i < examples; ++i) {
      const auto& row = gates[size(i)];
      std::size_t largest = 0;
      for (std::size_t e = 0; e < experts; ++e) {
        soft[e * 3 + size(i % 3)] += static_cast<double>(row[e]) / examples;
        if (row[e] > row[largest]) largest = e;
      }
      hard[largest * 3 + size(i % 3)] += 1.0 / examples;
    }
    const FactorMap& by_class = found.layers[l].factors[0];
    EXPECT_NEAR(by_class.soft.nats, mutual_information(soft, static_cast<Index>(experts)).nats, 1e-12);
    EXPECT_NEAR(by_class.hard.nats, mutual_information(hard, static_cast<Index>(experts)).nats, 1e-12);
    EXPECT_GT(by_class.hard.nats, by_class.soft.nats);
  }
}

TEST(Specialisation, counts_ties_for_the_first_expert) {
  distribution::Network network(spec, world(), 3, 16);
  network.for_each_parameter([](const model::Parameter& parameter) {
    for (float& value : parameter.values) value = 0;  // all gates equal
  });
  const TinyDataset dataset;
  const auto found = measure(network, dataset, {data::Split::test, {}, 16}, [] { return false; });
  for (const LayerSpecialisation& layer : found.value().layers) {
    // Always the same expert: its choice tells nothing.
    EXPECT_EQ(layer.factors[0].hard.nats, 0);
    for (const double mean : layer.mean_gate) {
      EXPECT_NEAR(mean, 1.0 / static_cast<double>(layer.mean_gate.size()), 1e-7);
    }
  }
}

TEST(Specialisation, is_nothing_where_one_rank_is_told_to_stop) {
  distribution::Network network(spec, world(), 3, 16);
  const TinyDataset dataset;
  int asked = 0;
  const auto stop = [&] { return ++asked == 3 && world().rank() == world().size() - 1; };
  EXPECT_FALSE(measure(network, dataset, {data::Split::test, {}, 16}, stop).has_value());
  EXPECT_EQ(asked, 3);
}

}  // namespace
}  // namespace dmoe::analysis
