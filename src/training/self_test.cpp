#include "training/self_test.hpp"

#include <algorithm>
#include <cstdint>
#include <vector>

#include "comm/together.hpp"
#include "core/error.hpp"
#include "core/random.hpp"
#include "numerics/architecture.hpp"
#include "numerics/linear.hpp"

namespace dmoe::training {

namespace {

/// In place, as totals are summed: that was once wrong (open-mpi/ompi#9385).
void check_sums(const comm::Communicator& world) {
  std::vector<std::int64_t> values(257);
  const auto value = [](std::size_t i, std::int64_t rank) {
    return (static_cast<std::int64_t>(i) << 40) - 7 * rank;
  };
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = value(i, world.rank());
  world.all_reduce(values);
  comm::together(world, [&] {
    for (std::size_t i = 0; i < values.size(); ++i) {
      std::int64_t expected = 0;
      for (int rank = 0; rank < world.size(); ++rank) expected += value(i, rank);
      if (values[i] != expected)
        throw RunError("the MPI library sums integers wrong: {} in place of {} over {} ranks", values[i],
                       expected, world.size());
    }
  });
}

/// A product of some rows and the same of few of them.
void check_rows() {
  constexpr Index rows = 96;
  constexpr Index width = 130;
  constexpr Index units = 50;
  const auto random = [](Index height, Index columns, std::uint64_t index) {
    Matrix matrix(height, columns);
    RandomStream stream(0, Purpose::self_test, index);
    for (float& one : matrix.values()) one = stream.uniform(-1, 1);
    return matrix;
  };
  const Matrix x = random(rows, width, 1);
  const Matrix weight = random(units, width, 2);
  const Matrix bias = random(1, units, 3);
  const Matrix d_y = random(rows, units, 4);
  Matrix whole(rows, units);
  Matrix whole_d_x(rows, width);
  numerics::linear_input_gradient(d_y.view(), weight.view(), whole_d_x.view());
  numerics::linear(x.view(), weight.view(), bias.values(), numerics::Activation::relu, whole.view());
  for (const Index few : {1, 17, 48}) {
    Matrix part(few, units);
    numerics::linear(x.view().rows_from(rows - few, few), weight.view(), bias.values(),
                     numerics::Activation::relu, part.view());
    Matrix d_x(few, width);
    numerics::linear_input_gradient(d_y.view().rows_from(rows - few, few), weight.view(), d_x.view());
    const auto is_alike = [&](const Matrix& some, const Matrix& all) {
      return std::ranges::equal(some.values(), all.view().rows_from(rows - few, few).values());
    };
    if (!is_alike(part, whole) || !is_alike(d_x, whole_d_x))
      throw RunError(
          "with {} a row of a matrix product depends on the rows beside it: other grids of ranks would give "
          "other bits; numerics.isa = \"avx2\" computes without relying on it",
          numerics::instruction_set());
  }
}

}  // namespace

void self_test(const comm::Communicator& world) {
  static bool is_done = false;
  if (is_done) return;
  check_sums(world);
  comm::together(world, [] {
    if (numerics::rows_are_independent()) check_rows();
  });
  is_done = true;
}

}  // namespace dmoe::training
