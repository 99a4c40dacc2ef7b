#include "model/head.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include <gtest/gtest.h>

#include "support/random_matrix.hpp"

namespace dmoe::model {
namespace {

using test::random_matrix;

TEST(Head, has_the_gradient_of_the_mean_cross_entropy) {
  constexpr Index batch = 4;
  constexpr std::array<std::int32_t, batch> labels{2, 0, 1, 2};
  LinearHead head(5, 3, 2, Presence::here, 0, batch + 3);
  Matrix z = random_matrix(batch, 5, 1);
  Matrix d_z(batch, 5);
  head.forward(z.view());
  head.backward(z.view(), labels, d_z.view(), z.rows());
  const numerics::Loss loss = head.slice_losses().front();
  EXPECT_EQ(head.score(labels).sum, loss.sum);
  const auto mean_loss = [&] {
    head.forward(z.view());
    return head.score(labels).sum / batch;
  };
  constexpr float step = 0x1p-7F;  // float arithmetic: a coarse step, and a coarse comparison
  for (std::size_t i = 0; i < z.values().size(); ++i) {
    const float here = z.values()[i];
    z.values()[i] = here + step;
    const double above = mean_loss();
    z.values()[i] = here - step;
    const double below = mean_loss();
    z.values()[i] = here;
    EXPECT_NEAR(d_z.values()[i], (above - below) / (2 * static_cast<double>(step)), 1e-4);
  }
}

TEST(DistributionHead, has_the_gradient_of_the_mean_cross_entropy) {
  constexpr Index batch = 3;
  constexpr std::array<std::int32_t, batch> labels{2, 0, 1};
  Matrix p(batch, 3);
  std::ranges::copy(std::array{0.2F, 0.3F, 0.5F, 0.6F, 0.3F, 0.1F, 0.5F, 0.25F, 0.25F}, p.view().data);
  Matrix d_p(batch, 3);
  DistributionHead head(3, Presence::here, batch + 2);
  head.forward(p.view());
  head.backward(p.view(), labels, d_p.view(), p.rows());
  const numerics::Loss loss = head.slice_losses().front();
  EXPECT_NEAR(loss.sum, -std::log(0.5) - std::log(0.6) - std::log(0.25), 1e-7);
  EXPECT_EQ(loss.errors, 1);
  EXPECT_EQ(head.score(labels).sum, loss.sum);
  const std::vector<float> expected{0, 0, -1 / 1.5F, -1 / 1.8F, 0, 0, 0, -1 / 0.75F, 0};
  for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(d_p.values()[i], expected[i], 1e-6);
}

TEST(Head, has_the_gradient_of_a_batch_of_which_it_sees_some_slices) {
  constexpr std::array<std::int32_t, 4> labels{2, 0, 1, 2};
  const Matrix z = random_matrix(4, 5, 1);
  Matrix d_z(4, 5);
  Matrix d_z_part(3, 5);
  LinearHead whole(5, 3, 2, Presence::here, 0, 4);
  whole.forward(z.view());
  whole.backward(z.view(), labels, d_z.view(), 4);
  LinearHead part(5, 3, 2, Presence::here, 0, 4, 2);
  const Slices slices(4, 4, 1, 4);  // two blocks: slice 1, slices 2 and 3
  part.forward(z.view().rows_from(1, 3), slices);
  part.backward(z.view().rows_from(1, 3), std::span(labels).subspan(1), d_z_part.view(), 4);
  EXPECT_EQ(part.slice_losses().size(), 3U);
  double loss = 0;
  for (const numerics::Loss& of_slice : part.slice_losses()) loss += of_slice.sum;
  EXPECT_NEAR(loss, part.score(std::span(labels).subspan(1)).sum, 1e-12);
  for (std::size_t i = 0; i < 15; ++i) EXPECT_NEAR(d_z_part.values()[i], d_z.values()[5 + i], 1e-7);
}

TEST(DistributionHead, survives_a_probability_of_0) {
  constexpr std::array<std::int32_t, 1> labels{1};
  Matrix p(1, 2);
  p.view()(0, 0) = 1;
  Matrix d_p(1, 2);
  DistributionHead head(2, Presence::here, 1);
  head.forward(p.view());
  head.backward(p.view(), labels, d_p.view(), p.rows());
  const numerics::Loss loss = head.slice_losses().front();
  EXPECT_TRUE(std::isfinite(loss.sum));
  EXPECT_GT(loss.sum, 80.0);
  EXPECT_TRUE(std::isfinite(d_p.view()(0, 1)));
}

TEST(Head, lists_its_parameters_where_it_is_elsewhere) {
  LinearHead head(5, 3, 2, Presence::elsewhere, 0, 4);
  std::vector<std::vector<Index>> shapes;
  head.for_each_parameter("head", [&](const Parameter& parameter) {
    shapes.push_back(parameter.shape);
    EXPECT_EQ(parameter.count, 0);
    EXPECT_TRUE(parameter.gradient.empty());
  });
  EXPECT_EQ(shapes, (std::vector<std::vector<Index>>{{3, 5}, {3}}));
}

}  // namespace
}  // namespace dmoe::model
