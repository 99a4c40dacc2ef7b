#include "numerics/linear.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <vector>

#include <gmock/gmock.h>

#include "core/error.hpp"
#include "numerics/architecture.hpp"
#include "support/random_matrix.hpp"
#include "support/same_bits.hpp"

namespace dmoe::numerics {
namespace {

using test::random_matrix;
using test::same_bits;

struct Shape {
  Index batch, inputs, hidden;
};
constexpr std::array<Shape, 10> shapes{{{1, 1, 1},
                                        {1, 7, 5},
                                        {3, 1, 2},
                                        {2, 5, 1},
                                        {5, 17, 33},
                                        {16, 16, 16},
                                        {31, 63, 9},
                                        {100, 100, 10},
                                        {44, 1296, 100},
                                        {100, 129, 50}}};

/// A sum of products in double, and how far a float sum in any order may lie from it.
struct Sum {
  double value = 0;
  double magnitude = 0;
  Index terms = 0;
  void add(double a, double b) {
    value += a * b;
    magnitude += std::abs(a * b);
    ++terms;
  }
  double tolerance() const {
    return static_cast<double>(terms + 1) * double{std::numeric_limits<float>::epsilon()} * magnitude;
  }
};

TEST(Linear, is_x_times_w_transposed_plus_b) {
  for (const auto& [batch, inputs, hidden] : shapes) {
    const Matrix x = random_matrix(batch, inputs, 1);
    const Matrix weight = random_matrix(hidden, inputs, 2);
    const Matrix bias = random_matrix(1, hidden, 3);
    Matrix y(batch, hidden);
    Matrix rectified(batch, hidden);
    linear(x.view(), weight.view(), bias.values(), Activation::identity, y.view());
    linear(x.view(), weight.view(), bias.values(), Activation::relu, rectified.view());
    for (Index b = 0; b < batch; ++b) {
      for (Index h = 0; h < hidden; ++h) {
        Sum sum;
        sum.add(bias.values()[size(h)], 1.0);
        for (Index d = 0; d < inputs; ++d) sum.add(x.view()(b, d), weight.view()(h, d));
        ASSERT_NEAR(y.view()(b, h), sum.value, sum.tolerance()) << batch << " " << inputs << " " << hidden;
        ASSERT_EQ(rectified.view()(b, h), std::max(0.0F, y.view()(b, h)));
      }
    }
  }
}

TEST(LinearInputGradient, is_d_y_times_w) {
  for (const auto& [batch, inputs, hidden] : shapes) {
    const Matrix d_y = random_matrix(batch, hidden, 1);
    const Matrix weight = random_matrix(hidden, inputs, 2);
    Matrix d_x = random_matrix(batch, inputs, 3);  // assigned, whatever it held
    linear_input_gradient(d_y.view(), weight.view(), d_x.view());
    for (Index b = 0; b < batch; ++b) {
      for (Index d = 0; d < inputs; ++d) {
        Sum sum;
        for (Index h = 0; h < hidden; ++h) sum.add(d_y.view()(b, h), weight.view()(h, d));
        ASSERT_NEAR(d_x.view()(b, d), sum.value, sum.tolerance()) << batch << " " << inputs << " " << hidden;
      }
    }
  }
}

TEST(LinearWeightGradient, is_d_y_transposed_times_x) {
  for (const auto& [batch, inputs, hidden] : shapes) {
    const Matrix d_y = random_matrix(batch, hidden, 1);
    const Matrix x = random_matrix(batch, inputs, 2);
    Matrix d_weight = random_matrix(hidden, inputs, 3);  // assigned, whatever it held
    linear_weight_gradient(d_y.view(), x.view(), d_weight.view());
    for (Index h = 0; h < hidden; ++h) {
      for (Index d = 0; d < inputs; ++d) {
        Sum sum;
        for (Index b = 0; b < batch; ++b) sum.add(d_y.view()(b, h), x.view()(b, d));
        ASSERT_NEAR(d_weight.view()(h, d), sum.value, sum.tolerance())
            << batch << " " << inputs << " " << hidden;
      }
    }
  }
}

/// Few and many rows: more than any block of rows that a library sums at a time.
constexpr std::array<Index, 8> row_counts{1, 3, 16, 32, 50, 128, 513, 1100};

TEST(AddLinearWeightGradient, adds_what_was_rounded) {
  for (const auto& [batch, inputs, hidden] : shapes) {
    for (const Index rows : row_counts) {
      const Matrix d_y = random_matrix(rows, hidden, 1);
      const Matrix x = random_matrix(rows, inputs, 2);
      Matrix sum = random_matrix(hidden, inputs, 3);
      Matrix expected = random_matrix(hidden, inputs, 3);
      Matrix product(hidden, inputs);
      linear_weight_gradient(d_y.view(), x.view(), product.view());
      for (std::size_t i = 0; i < product.values().size(); ++i) expected.values()[i] += product.values()[i];
      add_linear_weight_gradient(d_y.view(), x.view(), sum.view());
      EXPECT_TRUE(same_bits(sum.view(), expected.view())) << rows << " rows of " << inputs << ", " << hidden;
    }
  }
}

TEST(Linear, leaves_nothing_to_do_without_rows_or_outputs) {
  const Matrix x(0, 3);
  const Matrix weight = random_matrix(4, 3, 1);
  const Matrix bias(1, 4);
  Matrix y(0, 4);
  EXPECT_NO_THROW(linear(x.view(), weight.view(), bias.values(), Activation::relu, y.view()));
  EXPECT_NO_THROW(linear_input_gradient(y.view(), weight.view(), Matrix(0, 3).view()));
  const Matrix some = random_matrix(2, 3, 2);
  Matrix none(2, 0);
  EXPECT_NO_THROW(linear(some.view(), Matrix(0, 3).view(), {}, Activation::relu, none.view()));
  EXPECT_NO_THROW(linear_weight_gradient(none.view(), some.view(), Matrix(0, 3).view()));
}

/// A copy of a matrix that starts `offset` floats behind a 64-byte boundary, with a neighbour on either side.
class Displaced {
 public:
  Displaced(ConstMatrixView from, Index offset)
      : storage_(random_matrix(1, offset + from.count() + 16, 99)),
        view_{storage_.view().data + offset, from.rows, from.columns} {
    std::ranges::copy(from.values(), view_.data);
  }
  MatrixView view() const { return view_; }

 private:
  Matrix storage_;
  MatrixView view_;
};

TEST(Linear, has_bits_that_do_not_depend_on_where_its_operands_lie) {
  for (const auto& [batch, inputs, hidden] : shapes) {
    const Matrix x = random_matrix(batch, inputs, 1);
    const Matrix weight = random_matrix(hidden, inputs, 2);
    const Matrix bias = random_matrix(1, hidden, 3);
    const Matrix d_y = random_matrix(batch, hidden, 4);
    Matrix y(batch, hidden);
    Matrix d_x(batch, inputs);
    Matrix d_weight(hidden, inputs);
    linear(x.view(), weight.view(), bias.values(), Activation::relu, y.view());
    linear_input_gradient(d_y.view(), weight.view(), d_x.view());
    linear_weight_gradient(d_y.view(), x.view(), d_weight.view());
    for (const Index offset : {1, 2, 3, 4, 7, 8, 12, 15}) {
      const Displaced x2(x.view(), offset);
      const Displaced weight2(weight.view(), 16 - offset);
      const Displaced bias2(bias.view(), offset / 2);
      const Displaced d_y2(d_y.view(), offset);
      const Displaced y2(d_y.view(), 15 - offset);
      const Displaced d_x2(x.view(), offset + 1);
      const Displaced d_weight2(weight.view(), offset);
      linear(x2.view(), weight2.view(), bias2.view().values(), Activation::relu, y2.view());
      linear_input_gradient(d_y2.view(), weight2.view(), d_x2.view());
      linear_weight_gradient(d_y2.view(), x2.view(), d_weight2.view());
      EXPECT_TRUE(same_bits(y.view(), y2.view())) << batch << " " << inputs << " " << hidden << " " << offset;
      EXPECT_TRUE(same_bits(d_x.view(), d_x2.view()))
          << batch << " " << inputs << " " << hidden << " " << offset;
      EXPECT_TRUE(same_bits(d_weight.view(), d_weight2.view()))
          << batch << " " << inputs << " " << hidden << " " << offset;
    }
  }
}

TEST(PaddedRows, are_few_and_little_more) {
  std::vector<Index> sizes;
  for (Index rows = 0; rows <= 4096; ++rows) {
    const Index padded = padded_rows(rows);
    EXPECT_GE(padded, rows);
    EXPECT_LE(8 * (padded - rows), rows);
    EXPECT_EQ(padded_rows(padded), padded);
    if (sizes.empty() || sizes.back() != padded) sizes.push_back(padded);
  }
  EXPECT_LE(sizes.size(), 9 + 9 * 8);
}

/// Exactly so with AVX-512; with less the order of a sum may depend on the shape.
TEST(PaddedRows, change_no_bit_of_the_others) {
  const bool is_exact = instruction_set().starts_with("avx512");
  const auto expect_same = [&](ConstMatrixView a, ConstMatrixView b) {
    if (is_exact) {
      EXPECT_TRUE(same_bits(a, b));
      return;
    }
    for (Index i = 0; i < a.count(); ++i) ASSERT_NEAR(a.data[i], b.data[i], 1e-4);
  };
  for (const auto& [inputs, hidden] : {std::pair<Index, Index>{1296, 100}, {100, 100}, {100, 20}, {37, 13}}) {
    constexpr Index most = 144;
    Matrix x = random_matrix(most, inputs, 1);
    const Matrix weight = random_matrix(hidden, inputs, 2);
    const Matrix bias = random_matrix(1, hidden, 3);
    Matrix d_y = random_matrix(most, hidden, 4);
    Matrix y(most, hidden), padded_y(most, hidden), d_x(most, inputs), padded_d_x(most, inputs);
    Matrix d_weight(hidden, inputs), padded_d_weight(hidden, inputs);
    for (const Index rows : {129, 100, 65, 31, 17, 9}) {
      SCOPED_TRACE(rows);  // what lies beyond is 0 from the first on
      const Index padded = padded_rows(rows);
      std::ranges::fill(x.view().rows_from(rows, most - rows).values(), 0.0F);
      std::ranges::fill(d_y.view().rows_from(rows, most - rows).values(), 0.0F);
      linear(x.first_rows(rows), weight.view(), bias.values(), Activation::relu, y.first_rows(rows));
      linear(x.first_rows(padded), weight.view(), bias.values(), Activation::relu,
             padded_y.first_rows(padded));
      linear_input_gradient(d_y.first_rows(rows), weight.view(), d_x.first_rows(rows));
      linear_input_gradient(d_y.first_rows(padded), weight.view(), padded_d_x.first_rows(padded));
      linear_weight_gradient(d_y.first_rows(rows), x.first_rows(rows), d_weight.view());
      linear_weight_gradient(d_y.first_rows(padded), x.first_rows(padded), padded_d_weight.view());
      expect_same(y.first_rows(rows), padded_y.first_rows(rows));
      expect_same(d_x.first_rows(rows), padded_d_x.first_rows(rows));
      expect_same(d_weight.view(), padded_d_weight.view());
    }
  }
}

TEST(Linear, of_no_rows_has_no_gradient) {
  Matrix d_weight = random_matrix(5, 7, 1);
  linear_weight_gradient({nullptr, 0, 5}, {nullptr, 0, 7}, d_weight.view());
  EXPECT_TRUE(std::ranges::all_of(d_weight.values(), [](float value) { return value == 0.0F; }));
}

/// To nearest, ties to even.
float rounded_to_bf16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  return std::bit_cast<float>((bits + 0x7fff + (bits >> 16 & 1)) & 0xffff0000);
}

Matrix rounded_to_bf16(const Matrix& matrix) {
  Matrix rounded(matrix.rows(), matrix.columns());
  std::ranges::transform(matrix.values(), rounded.values().begin(),
                         [](float value) { return rounded_to_bf16(value); });
  return rounded;
}

constexpr Arithmetic bf16{.precision = Precision::bf16};

/// y, dx and dW of one linear part.
struct Linears {
  Linears(const Matrix& x, const Matrix& weight, const Matrix& bias, const Matrix& d_y)
      : y(x.rows(), weight.rows()), d_x(x.rows(), x.columns()), d_weight(weight.rows(), weight.columns()) {
    linear(x.view(), weight.view(), bias.values(), Activation::identity, y.view());
    linear_input_gradient(d_y.view(), weight.view(), d_x.view());
    linear_weight_gradient(d_y.view(), x.view(), d_weight.view());
  }
  Matrix y, d_x, d_weight;
};

TEST(Bf16, multiplies_rounded_operands_and_adds_in_float) {
  if (!has_bf16_products()) {
    EXPECT_THROW(require_products_of(Precision::bf16), InputError);
    return;
  }
  for (const auto& [batch, inputs, hidden] : shapes) {
    SCOPED_TRACE(batch);
    const Matrix x = random_matrix(batch, inputs, 1);
    const Matrix weight = random_matrix(hidden, inputs, 2);
    const Matrix bias = random_matrix(1, hidden, 3);
    const Matrix d_y = random_matrix(batch, hidden, 4);
    const Linears of_rounded(rounded_to_bf16(x), rounded_to_bf16(weight), bias, rounded_to_bf16(d_y));
    const Linears in_float(x, weight, bias, d_y);
    const ArithmeticScope in_bf16(bf16);
    const Linears of_given(x, weight, bias, d_y);
    // A product of two bf16 is exact in float: what is left is the order of a float sum.
    const auto expect_near = [](const Matrix& a, const Matrix& b, Index terms) {
      const float most = 4e-7F * static_cast<float>(terms + 1);
      for (std::size_t i = 0; i < a.values().size(); ++i) ASSERT_NEAR(a.values()[i], b.values()[i], most);
    };
    expect_near(of_given.y, of_rounded.y, inputs);
    expect_near(of_given.d_x, of_rounded.d_x, hidden);
    expect_near(of_given.d_weight, of_rounded.d_weight, batch);
    EXPECT_FALSE(same_bits(of_given.y.view(), in_float.y.view())) << "nothing was rounded";
  }
}

TEST(Bf16, keeps_the_operands_and_the_bits_of_what_pads_them) {
  if (!has_bf16_products()) return;
  const ArithmeticScope in_bf16(bf16);
  constexpr Index inputs = 129, hidden = 50, rows = 43, padded = 44;
  Matrix x = random_matrix(padded, inputs, 1);
  Matrix d_y = random_matrix(padded, hidden, 4);
  std::ranges::fill(x.view().row(rows), 0.0F);
  std::ranges::fill(d_y.view().row(rows), 0.0F);
  const Matrix weight = random_matrix(hidden, inputs, 2);
  const std::vector<float> x_before(x.values().begin(), x.values().end());
  Matrix of_rows(hidden, inputs), of_padded(hidden, inputs);
  linear_weight_gradient(d_y.first_rows(rows), x.first_rows(rows), of_rows.view());
  linear_weight_gradient(d_y.view(), x.view(), of_padded.view());
  EXPECT_TRUE(same_bits(of_rows.view(), of_padded.view()));
  EXPECT_TRUE(std::ranges::equal(x.values(), x_before));
}

auto thread_count() {
  const std::filesystem::directory_iterator threads("/proc/self/task");
  return std::distance(begin(threads), end(threads));
}

/// Before any product: one, and those of an emulator that runs this program.
const auto threads_at_start = thread_count();

TEST(Threads, are_one_until_more_are_asked_for) {
  const Matrix x = random_matrix(512, 512, 1);
  const Matrix weight = random_matrix(512, 512, 2);
  const std::vector<float> bias(512);
  Matrix y(512, 512);
  linear(x.view(), weight.view(), bias, Activation::identity, y.view());
  EXPECT_EQ(thread_count(), threads_at_start);
}

}  // namespace
}  // namespace dmoe::numerics
