#include "bench/even_top_k.hpp"

#include <algorithm>

#include <gmock/gmock.h>

#include "support/random_matrix.hpp"

namespace dmoe::bench {
namespace {

using Masks = std::vector<std::uint8_t>;

std::vector<Index> chosen_of(Index k, std::span<const float> p, const Masks& masked) {
  std::vector<Index> chosen{-1, -1};  // of the row before
  EvenTopK(k).choose(p, masked, chosen);
  return chosen;
}

void expect_distinct_ascending(const std::vector<Index>& chosen) {
  EXPECT_TRUE(std::ranges::is_sorted(chosen));
  EXPECT_EQ(std::ranges::adjacent_find(chosen), chosen.end());
}

TEST(EvenTopK, chooses_as_many_as_there_are_at_most) {
  EXPECT_EQ(EvenTopK(2).most_chosen(5), 2);
  EXPECT_EQ(EvenTopK(7).most_chosen(5), 5);
  EXPECT_FALSE(EvenTopK(7).is_dense(5));
}

TEST(EvenTopK, chooses_k_of_those_that_are_not_masked) {
  const Matrix p = test::random_matrix(50, 6, 1);
  for (Index k = 1; k <= 7; ++k) {
    for (const Masks& masked : {Masks{0, 0, 0, 0, 0, 0}, Masks{1, 0, 0, 1, 0, 1}, Masks{1, 1, 1, 1, 0, 1}}) {
      const auto allowed = std::ranges::count(masked, 0);
      for (Index b = 0; b < p.rows(); ++b) {
        const std::vector<Index> chosen = chosen_of(k, p.view().row(b), masked);
        ASSERT_EQ(static_cast<Index>(chosen.size()), std::min<Index>(k, allowed));
        expect_distinct_ascending(chosen);
        for (const Index expert : chosen) ASSERT_EQ(masked.at(size(expert)), 0);
      }
    }
  }
}

TEST(EvenTopK, chooses_the_same_for_the_same_values) {
  const Matrix p = test::random_matrix(20, 16, 2);
  for (Index b = 0; b < p.rows(); ++b)
    EXPECT_EQ(chosen_of(2, p.view().row(b), Masks(16)), chosen_of(2, p.view().row(b), Masks(16)));
}

/// Rows that each expert was chosen for; every gate has a favourite, as untrained ones do.
std::vector<Index> rows_of_experts(Index rows, Index experts, Index k, bool by_logits) {
  Matrix values = test::random_matrix(rows, experts, 3);
  std::vector<Index> counts(size(experts));
  for (Index b = 0; b < rows; ++b) {
    values.view()(b, 0) += 5;
    std::vector<Index> chosen;
    if (by_logits)
      EXPECT_TRUE(EvenTopK(k).choose_by_logits(values.view().row(b), Masks(size(experts)), chosen));
    else
      EvenTopK(k).choose(values.view().row(b), Masks(size(experts)), chosen);
    for (const Index expert : chosen) ++counts.at(size(expert));
  }
  return counts;
}

TEST(EvenTopK, gives_all_experts_about_as_many_rows) {
  for (const bool by_logits : {false, true}) {
    for (const Index k : {1, 2}) {
      // Binomial, 4096 draws of one in eight: 512 +- 21 for each k.
      const auto expected = static_cast<double>(512 * k);
      for (const Index count : rows_of_experts(4096, 8, k, by_logits))
        EXPECT_NEAR(static_cast<double>(count), expected, 5 * 21 * static_cast<double>(k));
    }
  }
}

TEST(EvenTopK, asks_for_p_where_top_k_does) {
  std::vector<Index> chosen;
  const std::vector<float> equal{1, 1, 1, 1};
  EXPECT_FALSE(model::TopK(2).choose_by_logits(equal, Masks(4), chosen));
  EXPECT_FALSE(EvenTopK(2).choose_by_logits(equal, Masks(4), chosen));
}

}  // namespace
}  // namespace dmoe::bench
