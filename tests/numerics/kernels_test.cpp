#include "numerics/kernels.hpp"

#include <array>
#include <cmath>
#include <cstdint>
#include <vector>

#include <gtest/gtest.h>

#include "support/random_matrix.hpp"

namespace dmoe::numerics {
namespace {

using test::random_matrix;

std::vector<double> in_double(std::span<const float> values) {
  return {values.begin(), values.end()};
}

TEST(Dot, is_the_sum_of_products) {
  for (Index count = 0; count < 70; ++count) {
    const Matrix a = random_matrix(1, count, 1);
    const Matrix b = random_matrix(1, count, 2);
    double expected = 0;
    for (std::size_t i = 0; i < size(count); ++i) {
      expected += static_cast<double>(a.values()[i]) * static_cast<double>(b.values()[i]);
    }
    EXPECT_NEAR(dot(a.values(), b.values()), expected, 1e-7 * static_cast<double>(count)) << count;
  }
}

TEST(Dot, takes_lanes_of_sixteen_then_halves) {
  // Powers of two whose rounding tells the order: 2^24 + 1 = 2^24 in float.
  std::array<float, 17> a{};
  std::array<float, 17> ones{};
  ones.fill(1.0F);
  a[0] = 0x1p24F;
  a[8] = -0x1p24F;  // the lane that is added to lane 0 first
  a[16] = 1.0F;     // lane 0 again: lost beside 2^24 before lane 8 takes that away
  EXPECT_EQ(dot(a, ones), 0.0F);
  a[16] = 0.0F;
  a[1] = 1.0F;  // its own lane: kept
  EXPECT_EQ(dot(a, ones), 1.0F);
}

TEST(ColumnSums, adds_the_first_row_first) {
  for (const Index rows : {0, 1, 3, 100}) {
    const Matrix matrix = random_matrix(rows, 19, 3);
    Matrix sums = random_matrix(1, 19, 4);
    column_sums(matrix.view(), sums.values());
    for (Index h = 0; h < 19; ++h) {
      float expected = 0;
      for (Index b = 0; b < rows; ++b) expected += matrix.view()(b, h);
      EXPECT_EQ(sums.values()[size(h)], expected);
    }
  }
}

TEST(ReluGradient, passes_where_the_activation_was_positive) {
  Matrix y(1, 4);
  y.values()[0] = 2.0F;
  y.values()[2] = 1e-30F;
  Matrix d = random_matrix(1, 4, 5);
  const Matrix before = random_matrix(1, 4, 5);
  relu_gradient(y.view(), d.view());
  EXPECT_EQ(d.values()[0], before.values()[0]);
  EXPECT_EQ(d.values()[1], 0.0F);
  EXPECT_EQ(d.values()[2], before.values()[2]);
  EXPECT_EQ(d.values()[3], 0.0F);
}

/// The softmax over all, masked columns set to 0, the rest divided by their sum.
std::vector<double> zeroed_and_renormalised(std::span<const float> logits,
                                            std::span<const std::uint8_t> masked) {
  std::vector<double> p;
  double sum = 0;
  for (const float logit : logits) sum += p.emplace_back(std::exp(static_cast<double>(logit)));
  for (double& value : p) value /= sum;
  double kept = 0;
  for (std::size_t n = 0; n < p.size(); ++n) kept += masked[n] == 0 ? p[n] : 0.0;
  for (std::size_t n = 0; n < p.size(); ++n) p[n] = masked[n] == 0 ? p[n] / kept : 0.0;
  return p;
}

TEST(MaskedSoftmax, is_the_full_softmax_zeroed_and_renormalised) {
  for (Index experts = 1; experts <= 6; ++experts) {
    Matrix logits = random_matrix(9, experts, 6);
    for (float& logit : logits.values()) logit *= 8.0F;
    for (unsigned bits = 0; bits + 1 < (1U << experts); ++bits) {  // every mask but that of all
      std::vector<std::uint8_t> masked;
      for (Index n = 0; n < experts; ++n) masked.push_back((bits >> n & 1U) != 0 ? 1 : 0);
      Matrix p(9, experts);
      masked_softmax(logits.view(), masked, p.view());
      for (Index b = 0; b < 9; ++b) {
        const std::vector<double> expected = zeroed_and_renormalised(logits.view().row(b), masked);
        for (Index n = 0; n < experts; ++n) {
          ASSERT_NEAR(p.view()(b, n), expected[size(n)], 1e-6 * expected[size(n)]);
        }
      }
    }
  }
}

TEST(MaskedSoftmax, survives_large_logits_and_is_one_for_a_lone_expert) {
  Matrix logits(1, 3);
  logits.values()[0] = 1e30F;
  logits.values()[1] = -1e4F;
  logits.values()[2] = -1e4F;
  Matrix p(1, 3);
  masked_softmax(logits.view(), std::array<std::uint8_t, 3>{0, 0, 0}, p.view());
  EXPECT_EQ(p.values()[0], 1.0F);
  EXPECT_EQ(p.values()[1], 0.0F);
  masked_softmax(logits.view(), std::array<std::uint8_t, 3>{1, 0, 0}, p.view());
  EXPECT_EQ(p.values()[0], 0.0F);
  EXPECT_EQ(p.values()[1], 0.5F);
  masked_softmax(logits.view(), std::array<std::uint8_t, 3>{1, 1, 0}, p.view());
  EXPECT_EQ(p.values()[2], 1.0F);
}

TEST(SoftmaxGradient, equals_finite_differences_through_the_mask) {
  constexpr Index experts = 5;
  const std::array<std::uint8_t, experts> masked{0, 1, 0, 0, 1};
  const Matrix logits = random_matrix(7, experts, 7);
  const Matrix d_p = random_matrix(7, experts, 8);
  Matrix p(7, experts);
  Matrix d_logits = random_matrix(7, experts, 9);
  masked_softmax(logits.view(), masked, p.view());
  softmax_gradient(p.view(), d_p.view(), d_logits.view());
  // Of <d_p, softmax(logits)>, a function whose gradient with respect to the softmax is d_p.
  const auto value = [&](std::span<const double> z, std::span<const float> d) {
    double sum = 0;
    double weighted = 0;
    for (std::size_t n = 0; n < z.size(); ++n) {
      if (masked[n] != 0) continue;
      sum += std::exp(z[n]);
      weighted += static_cast<double>(d[n]) * std::exp(z[n]);
    }
    return weighted / sum;
  };
  constexpr double step = 1e-5;
  for (Index b = 0; b < 7; ++b) {
    for (std::size_t n = 0; n < experts; ++n) {
      std::vector<double> z = in_double(logits.view().row(b));
      z[n] += step;
      const double above = value(z, d_p.view().row(b));
      z[n] -= 2 * step;
      const double below = value(z, d_p.view().row(b));
      const float got = d_logits.view()(b, static_cast<Index>(n));
      EXPECT_NEAR(got, (above - below) / (2 * step), 5e-7);
      if (masked[n] != 0) {
        EXPECT_EQ(got, 0.0F);
      }
    }
  }
}

double naive_cross_entropy(std::span<const double> z, std::size_t label) {
  double sum = 0;
  for (const double logit : z) sum += std::exp(logit);
  return std::log(sum) - z[label];
}

TEST(CrossEntropy, and_its_gradient_equal_naive_ones) {
  constexpr Index rows = 11;
  constexpr Index classes = 4;
  Matrix logits = random_matrix(rows, classes, 10);
  for (float& logit : logits.values()) logit *= 5.0F;
  std::vector<std::int32_t> labels;
  for (Index b = 0; b < rows; ++b) labels.push_back(narrow<std::int32_t>(b % classes));
  Matrix d_logits(rows, classes);
  const Loss loss = cross_entropy(logits.view(), labels, d_logits.view(), rows);
  const Loss alone = cross_entropy(logits.view(), labels);
  EXPECT_EQ(alone.sum, loss.sum);
  EXPECT_EQ(alone.errors, loss.errors);

  double expected = 0;
  Index errors = 0;
  constexpr double step = 1e-5;
  for (Index b = 0; b < rows; ++b) {
    std::vector<double> z = in_double(logits.view().row(b));
    const auto label = static_cast<std::size_t>(labels[size(b)]);
    expected += naive_cross_entropy(z, label);
    bool is_right = true;
    for (const double other : z) is_right = is_right && other <= z[label];
    errors += is_right ? 0 : 1;
    for (std::size_t c = 0; c < z.size(); ++c) {
      const double here = z[c];
      z[c] = here + step;
      const double above = naive_cross_entropy(z, label);
      z[c] = here - step;
      const double below = naive_cross_entropy(z, label);
      z[c] = here;
      EXPECT_NEAR(d_logits.view()(b, static_cast<Index>(c)), (above - below) / (2 * step) / rows, 1e-8);
    }
  }
  EXPECT_NEAR(loss.sum, expected, 1e-5);
  EXPECT_EQ(loss.errors, errors);
  EXPECT_GT(errors, 0);
  EXPECT_LT(errors, rows);
}

TEST(CrossEntropy, counts_the_first_of_equal_logits_as_the_answer) {
  const Matrix logits(1, 3);
  EXPECT_EQ(cross_entropy(logits.view(), std::array<std::int32_t, 1>{0}).errors, 0);
  EXPECT_EQ(cross_entropy(logits.view(), std::array<std::int32_t, 1>{1}).errors, 1);
  EXPECT_DOUBLE_EQ(cross_entropy(logits.view(), std::array<std::int32_t, 1>{1}).sum, std::log(3.0));
}

TEST(CrossEntropy, survives_large_logits) {
  Matrix logits(1, 2);
  logits.values()[0] = 1e4F;
  Matrix d_logits(1, 2);
  EXPECT_DOUBLE_EQ(cross_entropy(logits.view(), std::array<std::int32_t, 1>{1}, d_logits.view(), 1).sum, 1e4);
  EXPECT_EQ(d_logits.values()[0], 1.0F);
  EXPECT_EQ(d_logits.values()[1], -1.0F);
}

}  // namespace
}  // namespace dmoe::numerics
