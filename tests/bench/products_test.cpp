#include "bench/products.hpp"

#include <algorithm>

#include <gtest/gtest.h>

#include "support/same_bits.hpp"

namespace dmoe::bench {
namespace {

using distribution::InputGradient;
using numerics::Activation;
using test::same_bits;

TEST(RandomMatrix, is_the_same_each_time_and_small) {
  const Matrix matrix = random_matrix(30, 40);
  EXPECT_EQ(matrix.rows(), 30);
  EXPECT_EQ(matrix.columns(), 40);
  EXPECT_TRUE(same_bits(matrix.view(), random_matrix(30, 40).view()));
  const auto [least, most] = std::ranges::minmax(matrix.values());
  EXPECT_GE(least, -0.1F);
  EXPECT_LT(least, -0.09F);
  EXPECT_GT(most, 0.09F);
  EXPECT_LE(most, 0.1F);
}

/// x W^T with the weights that a part has, biases being 0.
Matrix naive(ConstMatrixView x, Index outputs, Activation activation) {
  const Matrix weight = random_matrix(outputs, x.columns);
  Matrix y(x.rows, outputs);
  for (Index b = 0; b < x.rows; ++b) {
    for (Index o = 0; o < outputs; ++o) {
      double sum = 0;
      for (Index d = 0; d < x.columns; ++d) sum += static_cast<double>(x(b, d)) * weight.view()(o, d);
      y.view()(b, o) = static_cast<float>(activation == Activation::relu ? std::max(sum, 0.0) : sum);
    }
  }
  return y;
}

void expect_near(ConstMatrixView found, const Matrix& expected) {
  ASSERT_EQ(found.rows, expected.rows());
  ASSERT_EQ(found.columns, expected.columns());
  for (Index b = 0; b < found.rows; ++b) {
    for (Index o = 0; o < found.columns; ++o) EXPECT_NEAR(found(b, o), expected.view()(b, o), 1e-6);
  }
}

TEST(Products, compute_each_part_from_what_was_there_before) {
  Products products;
  const ConstMatrixView x = products.input(5, 7);
  const ConstMatrixView hidden = products.add(x, 6, Activation::relu, InputGradient::skipped);
  const ConstMatrixView y = products.add(hidden, 3, Activation::identity, InputGradient::wanted);
  products.forwards(2);
  const Matrix expected = naive(x, 6, Activation::relu);
  expect_near(hidden, expected);
  expect_near(y, naive(expected.view(), 3, Activation::identity));
  products.steps(2);  // learns nothing
  expect_near(y, naive(expected.view(), 3, Activation::identity));
}

TEST(Products, count_forward_and_two_backward_or_one) {
  Products products;
  const ConstMatrixView x = products.input(5, 7);
  const ConstMatrixView y = products.add(x, 6, Activation::relu, InputGradient::skipped);
  EXPECT_EQ(products.multiply_accumulates(Pass::evaluation), 5 * 7 * 6);
  EXPECT_EQ(products.multiply_accumulates(Pass::step), 2 * 5 * 7 * 6);
  products.add(y, 3, Activation::identity, InputGradient::wanted);
  EXPECT_EQ(products.multiply_accumulates(Pass::evaluation), 5 * 7 * 6 + 5 * 6 * 3);
  EXPECT_EQ(products.multiply_accumulates(Pass::step), 2 * 5 * 7 * 6 + 3 * 5 * 6 * 3);
}

const std::vector<model::NetworkSpec> specs{{6, 3, {{7, 4, 3}}},
                                            {6, 3, {{5, 4, 3}, {7, 3, 2}}},
                                            {9, 2, {{16, 4, 3}, {1, 5, 2}, {6, 3, 4}}},
                                            {1296, 10, {{4, 100, 50}, {4, 100, 50}}}};

TEST(NetworkProducts, are_all_the_work_of_a_network) {
  for (const model::NetworkSpec& spec : specs) {
    for (const Pass pass : {Pass::step, Pass::evaluation}) {
      EXPECT_EQ(static_cast<double>(network_products(spec, 11).multiply_accumulates(pass)),
                11 * work(spec, pass, 1, 0));
    }
  }
}

TEST(GateProducts, are_those_of_the_gates) {
  for (const Index rows : {1, 11}) {
    const Products products = gate_products({6, 3, {{5, 4, 3}, {7, 8, 2}}}, rows);
    EXPECT_EQ(products.multiply_accumulates(Pass::evaluation), rows * (6 * 3 + 3 * 5 + 4 * 2 + 2 * 7));
    EXPECT_EQ(products.multiply_accumulates(Pass::step), rows * (2 * 6 * 3 + 3 * (3 * 5 + 4 * 2 + 2 * 7)));
  }
}

}  // namespace
}  // namespace dmoe::bench
