#include "bench/measurement.hpp"

#include <cmath>
#include <map>

#include <gmock/gmock.h>

namespace dmoe::bench {
namespace {

using testing::ElementsAre;

void expect_spread(const Samples& samples, double median, double smallest, double largest) {
  const Spread spread = spread_of(samples);
  EXPECT_EQ(spread.median, median);
  EXPECT_EQ(spread.smallest, smallest);
  EXPECT_EQ(spread.largest, largest);
}

TEST(SpreadOf, has_the_middle_of_an_odd_number_of_samples) {
  expect_spread({7}, 7, 7, 7);
  expect_spread({100, 1, 3}, 3, 1, 100);
  expect_spread({5, -4, 2, 2, 9}, 2, -4, 9);
}

TEST(SpreadOf, has_the_mean_of_the_two_in_the_middle_of_an_even_number) {
  expect_spread({4, 1}, 2.5, 1, 4);
  expect_spread({100, 3, 1, 6}, 4.5, 1, 100);
}

TEST(Samples, are_combined_repetition_by_repetition) {
  const Samples a{6, 1, 8};
  const Samples b{2, 4, 16};
  EXPECT_THAT(ratios(a, b), ElementsAre(3, 0.25, 0.5));
  EXPECT_THAT(differences(a, b), ElementsAre(4, -3, -8));
  EXPECT_THAT(inverses(24, a), ElementsAre(4, 24, 3));
  EXPECT_EQ(spread_of(ratios(a, b)).median, 0.5);  // not that of the medians, 1.5
}

TEST(Record, hands_over_a_row_with_its_spread) {
  std::vector<Measurement> rows;
  const Record record([&](const Measurement& row) { rows.push_back(row); });
  record("step", {"A", 100, 4, 2, 3}, time_ms, {3, 1, 8, 2}, 2);
  record("peak", {"triad"}, bandwidth, {5});
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].name, "step");
  EXPECT_EQ(rows[0].subject.batch, 100);
  EXPECT_EQ(rows[0].quantity.unit, "ms");
  EXPECT_EQ(rows[0].spread.median, 2.5);
  EXPECT_EQ(rows[0].repetitions, 4);
  EXPECT_EQ(rows[0].rank, 2);
  EXPECT_EQ(rows[1].rank, -1);
  EXPECT_EQ(rows[1].subject.ranks, 1);
}

/// The columns by name, of texts or of numbers.
template <class Value>
std::map<std::string, std::vector<Value>> columns_of(const std::vector<io::TableColumn>& table) {
  std::map<std::string, std::vector<Value>> columns;
  for (const io::TableColumn& column : table) {
    if (const auto* values = std::get_if<std::vector<Value>>(&column.values)) columns[column.name] = *values;
  }
  return columns;
}

TEST(TableOf, has_the_columns_in_their_order) {
  std::vector<std::string> names;
  for (const io::TableColumn& column : table_of({})) names.push_back(column.name);
  EXPECT_THAT(
      names, ElementsAre("measurement", "network", "batch", "experts", "chosen", "ranks", "rank", "precision",
                         "quantity", "unit", "median", "smallest", "largest", "repetitions"));
}

TEST(TableOf, has_each_value_in_its_column) {
  using Numbers = std::vector<double>;
  using Texts = std::vector<std::string>;
  std::vector<Measurement> rows;
  const Record record([&](const Measurement& row) { rows.push_back(row); });
  record("step", {"A", 100, 4, 2, 3}, time_ms, {8, 1, 2.5}, 1);
  record("products", {"B", 90, 5, 1, 6}, gflops, {20, 40});
  rows[1].precision = numerics::Precision::bf16;
  const std::vector<io::TableColumn> table = table_of(rows);
  auto texts = columns_of<std::string>(table);
  EXPECT_EQ(texts["measurement"], (Texts{"step", "products"}));
  EXPECT_EQ(texts["network"], (Texts{"A", "B"}));
  EXPECT_EQ(texts["precision"], (Texts{"float32", "bf16"}));
  EXPECT_EQ(texts["quantity"], (Texts{"time", "rate"}));
  EXPECT_EQ(texts["unit"], (Texts{"ms", "GFLOP/s"}));
  auto numbers = columns_of<double>(table);
  EXPECT_EQ(numbers["batch"], (Numbers{100, 90}));
  EXPECT_EQ(numbers["experts"], (Numbers{4, 5}));
  EXPECT_EQ(numbers["chosen"], (Numbers{2, 1}));
  EXPECT_EQ(numbers["ranks"], (Numbers{3, 6}));
  EXPECT_EQ(numbers["rank"], (Numbers{1, -1}));
  EXPECT_EQ(numbers["median"], (Numbers{2.5, 30}));
  EXPECT_EQ(numbers["smallest"], (Numbers{1, 20}));
  EXPECT_EQ(numbers["largest"], (Numbers{8, 40}));
  EXPECT_EQ(numbers["repetitions"], (Numbers{3, 2}));
}

TEST(TableOf, has_no_number_where_the_subject_has_no_such_thing) {
  std::vector<Measurement> rows;
  Record([&](const Measurement& row) { rows.push_back(row); })("peak", {"triad"}, bandwidth, {5});
  auto numbers = columns_of<double>(table_of(rows));
  for (const char* name : {"batch", "experts", "chosen"})
    EXPECT_TRUE(std::isnan(numbers[name].at(0))) << name;
  EXPECT_EQ(numbers["ranks"].at(0), 1);
}

}  // namespace
}  // namespace dmoe::bench
