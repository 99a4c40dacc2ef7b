#include "analysis/combinations.hpp"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "analysis/tiny.hpp"

namespace dmoe::analysis {
namespace {

using test::examples;
using test::gates_of;
using test::TinyDataset;

const training::Pass pass{data::Split::test, {}, 16};

Gates gates_in(const std::vector<std::vector<float>>& rows) {
  Matrix matrix(static_cast<Index>(rows.size()), static_cast<Index>(rows.front().size()));
  for (std::size_t i = 0; i < rows.size(); ++i)
    std::copy(rows[i].begin(), rows[i].end(), matrix.view().row(static_cast<Index>(i)).begin());
  return Gates(std::as_const(matrix).view());
}

Pair pair_in(const std::vector<std::vector<float>>& lower, const std::vector<std::vector<float>>& upper,
             Index top) {
  return pair_of(gates_in(lower), gates_in(upper), TinyDataset(), pass, top, comm::Communicator::local());
}

TopExamples top_in(const std::vector<std::vector<float>>& rows, Index top) {
  return top_examples(gates_in(rows), TinyDataset(), pass, top, comm::Communicator::local());
}

TEST(Gates, keep_what_is_not_zero) {
  const Gates gates = gates_in({{0, 0.25F, 0.75F}, {1, 0, 0}, {0, 0, 0}, {0.5F, 0, 0.5F}});
  EXPECT_EQ(gates.examples(), 4);
  EXPECT_EQ(gates.experts(), 3);
  EXPECT_EQ(gates.entries().size(), 5U);
  EXPECT_EQ(gates.of(0)[1], (Gates::Entry{2, 0.75F}));
  EXPECT_TRUE(gates.of(2).empty());
  EXPECT_EQ(gates.largest(0), 2);
  EXPECT_EQ(gates.largest(2), 0);
  EXPECT_EQ(gates.largest(3), 0);  // the first of equals
}

TEST(GateColumns, are_those_of_some_experts) {
  const GateColumns columns(gates_in({{0, 0.25F, 0.75F}, {1, 0, 0}, {0.5F, 0, 0.5F}}), 1, 3);
  std::vector<float> column(3, 7);
  columns.write(1, column);
  EXPECT_EQ(column, (std::vector<float>{0.25F, 0, 0}));
  columns.write(2, column);
  EXPECT_EQ(column, (std::vector<float>{0.75F, 0, 0.5F}));
}

TEST(Pair, joint_is_the_mean_product_of_gates) {
  const auto lower = gates_of(0);
  const auto upper = gates_of(1);
  const Pair pair = pair_in(lower, upper, 3);
  ASSERT_EQ(pair.joint.size(), 7U * 4U);
  double all = 0;
  for (std::size_t i = 0; i < 7; ++i) {
    double in_row = 0;
    for (std::size_t j = 0; j < 4; ++j) {
      double mean = 0;
      for (std::size_t x = 0; x < lower.size(); ++x) {
        mean += static_cast<double>(lower[x][i]) * static_cast<double>(upper[x][j]) / examples;
      }
      EXPECT_NEAR(pair.joint[i * 4 + j], mean, 1e-12);
      all += mean;
      in_row += pair.joint_rows[i * 4 + j];
    }
    EXPECT_NEAR(in_row, 1, 1e-12);
  }
  EXPECT_NEAR(all, 1, 1e-6);
}

TEST(Pair, row_of_an_expert_without_examples_is_not_a_number) {
  const Pair pair = pair_in({{1, 0}}, {{0.25F, 0.75F}}, 1);
  EXPECT_EQ(pair.joint_rows[0], 0.25);
  EXPECT_TRUE(std::isnan(pair.joint_rows[2]));
}

TEST(TopExamples, are_those_of_a_full_sort) {
  const auto lower = gates_of(0);
  const auto upper = gates_of(1);
  constexpr Index wanted = 6;
  const Pair pair = pair_in(lower, upper, wanted);
  for (std::size_t m = 0; m < 7 * 4; ++m) {
    std::vector<std::pair<float, Index>> all;  // sorted: the largest product, then the lower index, first
    for (Index x = 0; x < examples; ++x) all.emplace_back(-lower[size(x)][m / 4] * upper[size(x)][m % 4], x);
    std::sort(all.begin(), all.end());
    for (std::size_t i = 0; i < size(wanted); ++i) {
      EXPECT_EQ(pair.top.index[m * size(wanted) + i], all[i].second);
      EXPECT_EQ(pair.top.gate[m * size(wanted) + i], -all[i].first);
    }
  }
}

TEST(TopExamples, hold_the_inputs_as_presented) {
  const TinyDataset dataset;
  const TopExamples top = top_in(gates_of(0), 4);
  data::Batch batch(1, test::width, 2);
  for (std::size_t i = 0; i < top.index.size(); ++i) {
    const std::array<Index, 1> example{top.index[i]};
    dataset.present(data::Split::test, example, {}, batch);
    for (std::size_t d = 0; d < size(test::width); ++d) {
      EXPECT_EQ(top.input[i * size(test::width) + d], batch.inputs().row(0)[d]);
    }
  }
}

TEST(TopExamples, of_equals_are_the_first_and_what_is_missing_is_marked) {
  const TopExamples top = top_in({{0.5F}, {0.75F}, {0.5F}}, 5);
  EXPECT_EQ(top.index, (std::vector<std::int64_t>{1, 0, 2, -1, -1}));
  EXPECT_EQ(top.gate, (std::vector<float>{0.75F, 0.5F, 0.5F, 0, 0}));
  ASSERT_EQ(top.input.size(), 5 * size(test::width));
  EXPECT_NE(top.input[2 * size(test::width)], 0);
  EXPECT_EQ(top.input[3 * size(test::width)], 0);
}

}  // namespace
}  // namespace dmoe::analysis
