#include "numerics/tiled_linear.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "numerics/architecture.hpp"
#include "numerics/library.hpp"
#include "support/random_matrix.hpp"
#include "support/same_bits.hpp"

namespace dmoe::numerics {
namespace {

using test::random_matrix;
using test::same_bits;

/// n experts of `units` units each on `inputs` inputs; slices of `slice` rows, the last of them shorter.
struct Case {
  Index rows, slice, inputs, units, experts;
};

/// The networks that are measured, those of SCALE.md, and odd ones, few rows and widths that fill no vector.
const std::vector<Case> cases{
    {128, 128, 1296, 100, 4}, {128, 32, 1296, 100, 4}, {128, 32, 100, 100, 4}, {500, 500, 100, 100, 4},
    {128, 64, 1296, 50, 4},   {100, 100, 50, 50, 4},   {64, 16, 128, 128, 16}, {128, 128, 1296, 30, 8},
    {128, 43, 100, 30, 8},    {96, 96, 160, 192, 8},   {128, 128, 64, 100, 2}, {300, 75, 160, 192, 3},
    {37, 10, 29, 13, 7},      {1, 1, 100, 100, 4},     {2, 1, 1296, 50, 4},    {5, 2, 17, 33, 3},
    {7, 7, 64, 128, 5},       {33, 8, 256, 1, 9},      {17, 17, 1, 40, 4},     {40, 20, 8, 30, 4},
    {9, 4, 3, 5, 2},          {260, 65, 48, 10, 1},    {128, 128, 50, 64, 6}};

std::string name_of(const Case& of) {
  return std::to_string(of.rows) + " rows by " + std::to_string(of.slice) + ", " + std::to_string(of.inputs) +
         " inputs, " + std::to_string(of.experts) + " x " + std::to_string(of.units);
}

/// Columns [first, first + count), copied.
Matrix columns(ConstMatrixView all, Index first, Index count) {
  Matrix copy(all.rows, count);
  for (Index b = 0; b < all.rows; ++b)
    std::ranges::copy(all.row(b).subspan(size(first), size(count)), copy.view().row(b).begin());
  return copy;
}

struct Operands {
  explicit Operands(const Case& of)
      : x(random_matrix(of.rows, of.inputs, 1)),
        weight(random_matrix(of.experts * of.units, of.inputs, 2)),
        bias(random_matrix(1, of.experts * of.units, 3)),
        d_y(random_matrix(of.rows, of.experts * of.units, 4)) {}
  ConstMatrixView weight_of(const Case& of, Index i) const {
    return weight.view().rows_from(i * of.units, of.units);
  }
  Matrix x, weight, bias, d_y;
};

/// Calls slice(first row, rows).
template <class Slice>
void for_each_slice(const Case& of, const Slice& slice) {
  for (Index row = 0; row < of.rows; row += of.slice) slice(row, std::min(of.slice, of.rows - row));
}

TEST(TiledLinear, has_the_bits_of_each_slice_and_expert_alone) {
  for (const Case& of : cases) {
    SCOPED_TRACE(name_of(of));
    const Operands given(of);
    for (const Activation activation : {Activation::identity, Activation::relu}) {
      Matrix y = random_matrix(of.rows, of.experts * of.units, 9);
      linear(given.x.view(), given.weight.view(), given.bias.values(), activation, y.view(),
             {of.slice, of.units});
      for_each_slice(of, [&](Index row, Index rows) {
        for (Index i = 0; i < of.experts; ++i) {
          Matrix alone(rows, of.units);
          linear(given.x.view().rows_from(row, rows), given.weight_of(of, i),
                 given.bias.values().subspan(size(i * of.units), size(of.units)), activation, alone.view());
          const Matrix part = columns(y.view().rows_from(row, rows), i * of.units, of.units);
          EXPECT_TRUE(same_bits(part.view(), alone.view())) << "row " << row << ", expert " << i;
        }
      });
    }
  }
}

TEST(TiledLinearInputGradient, has_the_bits_of_each_slice_alone_and_reads_columns) {
  for (const Case& of : cases) {
    SCOPED_TRACE(name_of(of));
    const Operands given(of);
    for (Index i = 0; i < of.experts; ++i) {
      Matrix d_x = random_matrix(of.rows, of.inputs, 9);
      const ConstRowsView d_y_of(given.d_y.view().data + i * of.units, of.rows, of.units,
                                 given.d_y.columns());
      linear_input_gradient(d_y_of, given.weight_of(of, i), d_x.view(), of.slice);
      const Matrix d_y = columns(given.d_y.view(), i * of.units, of.units);
      for_each_slice(of, [&](Index row, Index rows) {
        Matrix alone(rows, of.inputs);
        linear_input_gradient(d_y.view().rows_from(row, rows), given.weight_of(of, i), alone.view());
        EXPECT_TRUE(same_bits(d_x.view().rows_from(row, rows), alone.view())) << row << ", expert " << i;
      });
    }
  }
}

TEST(TiledLinearWeightGradient, has_the_bits_of_each_expert_alone_assigned_and_added) {
  for (const Case& of : cases) {
    SCOPED_TRACE(name_of(of));
    const Operands given(of);
    Matrix assigned = random_matrix(of.experts * of.units, of.inputs, 9);
    Matrix added = random_matrix(of.experts * of.units, of.inputs, 8);
    const Matrix before = random_matrix(of.experts * of.units, of.inputs, 8);
    linear_weight_gradient(given.d_y.view(), given.x.view(), assigned.view(), of.units);
    add_linear_weight_gradient(given.d_y.view(), given.x.view(), added.view(), of.units);
    for (Index i = 0; i < of.experts; ++i) {
      const Matrix d_y = columns(given.d_y.view(), i * of.units, of.units);
      Matrix alone(of.units, of.inputs);
      linear_weight_gradient(d_y.view(), given.x.view(), alone.view());
      EXPECT_TRUE(same_bits(assigned.view().rows_from(i * of.units, of.units), alone.view())) << i;
      const ConstMatrixView were = before.view().rows_from(i * of.units, of.units);
      for (Index p = 0; p < alone.view().count(); ++p) alone.values()[size(p)] += were.data[p];
      EXPECT_TRUE(same_bits(added.view().rows_from(i * of.units, of.units), alone.view())) << i;
    }
  }
}

TEST(TiledLinear, of_no_rows_or_no_units_does_nothing) {
  const Matrix weight = random_matrix(6, 3, 1);
  const Matrix bias(1, 6);
  Matrix none(0, 6);
  EXPECT_NO_THROW(
      linear(Matrix(0, 3).view(), weight.view(), bias.values(), Activation::relu, none.view(), {2, 3}));
  EXPECT_NO_THROW(linear_input_gradient(ConstMatrixView(none.view()), weight.view(), Matrix(0, 3).view(), 2));
  Matrix d_weight = random_matrix(6, 3, 1);
  linear_weight_gradient(none.view(), Matrix(0, 3).view(), d_weight.view(), 2);
  EXPECT_TRUE(std::ranges::all_of(d_weight.values(), [](float value) { return value == 0.0F; }));
}

/// Where this fails, results are right and products slower: see is_one_product.
TEST(OneProduct, is_that_of_all_experts_and_slices_with_avx512) {
  if (!instruction_set().starts_with("avx512")) return;  // less computes some values by what is beside them
  for (const auto& [rows, slice, inputs, units, experts] : cases) {
    const bool can_be_tried = inputs >= 16 && slice * units >= 128;
    EXPECT_EQ(is_one_product(rows, inputs, experts * units, Activation::relu, {slice, units}),
              can_be_tried || (slice >= rows && experts == 1))
        << name_of({rows, slice, inputs, units, experts}) << ", " << library();
  }
}

/// The other way is computed somewhere: with AVX2 the columns that no vector is full of depend on how many
/// there are (seen with oneDNN 2.6.3), and the trial finds it.
TEST(OneProduct, is_refused_where_a_product_of_all_has_other_bits) {
  for (const Case& of : cases) {
    if (is_one_product(of.rows, of.inputs, of.experts * of.units, Activation::relu, {of.slice, of.units}))
      continue;
    if (of.inputs < 16 || of.slice * of.units < 128) continue;  // never tried
    const Operands given(of);
    Matrix whole(of.rows, of.experts * of.units);
    Matrix tiled(of.rows, of.experts * of.units);
    linear(given.x.view(), given.weight.view(), given.bias.values(), Activation::relu, whole.view());
    linear(given.x.view(), given.weight.view(), given.bias.values(), Activation::relu, tiled.view(),
           {of.slice, of.units});
    EXPECT_FALSE(of.rows * of.units > 2000 && same_bits(whole.view(), tiled.view())) << name_of(of);
  }
}

TEST(OneProduct, is_what_has_one_tile) {
  EXPECT_TRUE(is_one_product(3, 2, 5, Activation::relu, {}));
  EXPECT_TRUE(is_one_product(3, 2, 5, Activation::relu, {3, 5}));
  EXPECT_FALSE(is_one_product(30, 2, 50, Activation::relu, {30, 25})) << "sums of two terms tell too little";
  EXPECT_FALSE(is_one_product(9, 100, 40, Activation::relu, {3, 20})) << "60 values do";
}

}  // namespace
}  // namespace dmoe::numerics
