#include "core/matrix.hpp"

#include <algorithm>
#include <cstdint>
#include <utility>

#include <gtest/gtest.h>

namespace dmoe {
namespace {

TEST(Matrix, starts_as_zeros_on_a_64_byte_boundary) {
  Matrix matrix(3, 5);
  EXPECT_EQ(matrix.rows(), 3);
  EXPECT_EQ(matrix.columns(), 5);
  EXPECT_EQ(matrix.values().size(), 15U);
  EXPECT_TRUE(std::ranges::all_of(matrix.values(), [](float value) { return value == 0.0F; }));
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(matrix.view().data) % 64, 0U);
}

TEST(Matrix, is_row_major) {
  Matrix matrix(3, 5);
  matrix.view()(1, 2) = 7.0F;
  EXPECT_EQ(matrix.values()[1 * 5 + 2], 7.0F);
  EXPECT_EQ(matrix.view().row(1)[2], 7.0F);
}

TEST(Matrix, keeps_its_storage_when_moved) {
  Matrix matrix(2, 2);
  const MatrixView view = matrix.view();
  Matrix other = std::move(matrix);
  view(1, 1) = 4.0F;
  EXPECT_EQ(other.view().data, view.data);
  EXPECT_EQ(other.view()(1, 1), 4.0F);
}

TEST(Matrix, may_be_empty) {
  Matrix matrix(0, 5);
  EXPECT_TRUE(matrix.values().empty());
  EXPECT_EQ(matrix.view().count(), 0);
}

TEST(MatrixView, shares_a_range_of_rows) {
  Matrix matrix(4, 3);
  const MatrixView middle = matrix.view().rows_from(1, 2);
  middle(0, 0) = 1.0F;
  middle(1, 2) = 2.0F;
  EXPECT_EQ(middle.count(), 6);
  EXPECT_EQ(matrix.view()(1, 0), 1.0F);
  EXPECT_EQ(matrix.view()(2, 2), 2.0F);
  EXPECT_EQ(matrix.first_rows(2).rows, 2);
}

}  // namespace
}  // namespace dmoe
