#include "bench/census.hpp"

#include <numeric>
#include <set>

#include <gmock/gmock.h>

#include "bench/even_top_k.hpp"
#include "distribution/sample_network.hpp"
#include "support/world.hpp"

namespace dmoe::bench {
namespace {

using test::random_matrix;
using test::world;
using testing::ElementsAre;

/// The same experts for every row.
class Fixed final : public model::Routing {
 public:
  explicit Fixed(std::vector<Index> experts) : experts_(std::move(experts)) {}
  Index most_chosen(Index /*experts*/) const override { return static_cast<Index>(experts_.size()); }
  void choose(std::span<const float> /*p*/, std::span<const std::uint8_t> /*masked*/,
              std::vector<Index>& chosen) const override {
    chosen = experts_;
  }

 private:
  std::vector<Index> experts_;
};

const model::NetworkSpec spec{6, 3, {{5, 4, 3}, {3, 7, 2}}};
constexpr Index first_bytes = 5 * 4 * (4 * 6);   // of an expert's weights in the first layer
constexpr Index second_bytes = 6 * 4 * (7 * 4);  // and in the second

TEST(Census, counts_rows_and_weights_of_the_experts_that_were_chosen) {
  const Fixed below({1, 4});
  const Fixed above({2});
  distribution::Network network(spec, world(), 1, 12);
  network.mixture(0)->route(below);
  network.mixture(1)->route(above);
  for (const Index rows : {12, 7}) {
    network.forward(random_matrix(rows, spec.inputs, 1).view(), network.no_masks());
    const Census census = census_of(network);
    EXPECT_THAT(census.rows, ElementsAre(0, rows, 0, 0, rows, 0, 0, rows));
    EXPECT_EQ(census.shapes, 1);
    EXPECT_EQ(census.chosen_weights, 2 * first_bytes + second_bytes);
  }
}

TEST(Census, counts_different_padded_row_counts) {
  constexpr Index rows = 200;
  const EvenTopK two(2);
  distribution::Network network(spec, world(), 1, rows);
  test::set_random_weights(network, 1, 0.7F);
  for (const Index layer : {0, 1}) network.mixture(layer)->route(two);
  network.forward(random_matrix(rows, spec.inputs, 1).view(), network.no_masks());
  const Census census = census_of(network);
  ASSERT_EQ(census.rows.size(), 5U + 3U);
  EXPECT_EQ(std::accumulate(census.rows.begin(), census.rows.begin() + 5, 0.0), 2 * rows);
  EXPECT_EQ(std::accumulate(census.rows.begin() + 5, census.rows.end(), 0.0), 2 * rows);
  EXPECT_EQ(census.chosen_weights, 5 * first_bytes + 3 * second_bytes);
  std::set<Index> exact;
  std::set<Index> padded;
  for (const double count : census.rows) {
    exact.insert(static_cast<Index>(count));
    padded.insert(numerics::padded_rows(static_cast<Index>(count)));
  }
  EXPECT_EQ(census.shapes, static_cast<Index>(padded.size()));
  EXPECT_LT(padded.size(), exact.size());  // else this would show nothing
}

}  // namespace
}  // namespace dmoe::bench
