#include "exchange/replica_exchange.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

#include <gtest/gtest.h>

#include "core/error.hpp"
#include "exchange/batch_loss.hpp"
#include "exchange/topology.hpp"
#include "support/random_matrix.hpp"
#include "support/same_bits.hpp"
#include "support/world.hpp"

namespace dmoe::exchange {
namespace {

using test::random_matrix;
using test::same_bits;
using test::world;

/// Two tensors of 5 and 37 values, whose gradients are held in the blocks of a replica.
class Tensors {
 public:
  explicit Tensors(Index blocks) : small_(1, 5, blocks), large_(1, 37, blocks) {}
  std::vector<model::Parameter> parameters() {
    std::vector<model::Parameter> all;
    for (model::Weights* weights : {&small_, &large_}) {
      model::Parameter& parameter = all.emplace_back();
      parameter.values = weights->value.values();
      parameter.gradient = weights->first_gradient();
    }
    return all;
  }

 private:
  model::Weights small_;
  model::Weights large_;
};

/// The gradient of slice s of tensor t, which every rank can make.
Matrix leaf(Index slice, std::size_t t) {
  return random_matrix(1, t == 0 ? 5 : 37, 100 * static_cast<std::uint64_t>(slice) + t);
}

/// Sums of leaves over a block, or over all slices.
Matrix sum_over(const model::TreeBlock& block, Index slices, std::size_t t) {
  std::vector<Matrix> leaves;
  std::vector<model::TreeTerm> terms;
  for (Index s = block.first; s < std::min(block.first + block.width, slices); ++s)
    leaves.push_back(leaf(s, t));
  for (std::size_t i = 0; i < leaves.size(); ++i)
    terms.push_back({block.first + static_cast<Index>(i), leaves[i].view().data});
  Matrix sum(1, leaves.front().columns());
  model::sum_terms(terms, sum.values());
  return sum;
}

/// The slices that a test has: all numbers up to 9 and a power of two beyond.
const std::vector<Index> slice_counts{1, 2, 3, 4, 5, 6, 7, 8, 9, 16};

/// Sums made by halving from so many ranks on.
void expect_sums_along_the_tree(Index fewest_to_halve) {
  const Index replicas = world().size();
  for (const Index slices : slice_counts) {
    if (slices < replicas) continue;
    const Grid grid(world(), replicas, {64, slices});
    const auto& blocks = grid.slices().blocks();
    Tensors tensors(static_cast<Index>(blocks.size()));
    std::vector<model::Parameter> parameters = tensors.parameters();
    for (std::size_t t = 0; t < parameters.size(); ++t) {
      for (std::size_t k = 0; k < blocks.size(); ++k)
        std::ranges::copy(sum_over(blocks[k], slices, t).values(),
                          parameters[t].gradient_block(static_cast<Index>(k)).begin());
    }
    ReplicaExchange exchange(grid.column(), grid.slices_of_column(), parameters, fewest_to_halve);
    exchange.sum_gradients();
    std::vector<std::int64_t> owned(42);
    for (std::size_t t = 0; t < parameters.size(); ++t) {
      const Matrix sum = sum_over(model::whole_tree(slices), slices, t);
      const OwnedPart own = exchange.owned(t);
      EXPECT_TRUE(same_bits(own.gradient, sum.values().subspan(own.first, own.gradient.size())))
          << slices << " slices, tensor " << t;
      for (std::size_t i = 0; i < own.gradient.size(); ++i) ++owned[(t == 0 ? 0 : 5) + own.first + i];
    }
    world().all_reduce(owned);
    EXPECT_TRUE(std::ranges::all_of(owned, [](std::int64_t count) { return count == 1; }));
    exchange.share_gradients();
    for (std::size_t t = 0; t < parameters.size(); ++t) {
      EXPECT_TRUE(same_bits(parameters[t].gradient, sum_over(model::whole_tree(slices), slices, t).values()))
          << slices << " slices, tensor " << t;
    }
  }
}

TEST(ReplicaExchange, sums_gradients_along_the_tree_into_what_each_rank_owns) {
  expect_sums_along_the_tree(world().size() + 1);
}

TEST(ReplicaExchange, sums_them_so_by_halving_too) {
  expect_sums_along_the_tree(2);
}

void expect_weights_of_their_owners(Index fewest_to_halve) {
  const Index replicas = world().size();
  const Grid grid(world(), replicas, {64, replicas});
  Tensors tensors(1);
  std::vector<model::Parameter> parameters = tensors.parameters();
  ReplicaExchange exchange(grid.column(), grid.slices_of_column(), parameters, fewest_to_halve);
  exchange.sum_gradients();
  std::vector<std::span<const float>> own;
  for (std::size_t t = 0; t < parameters.size(); ++t) {
    const OwnedPart part = exchange.owned(t);
    const auto values = parameters[t].values.subspan(part.first, part.gradient.size());
    std::ranges::copy(leaf(0, t).values().subspan(part.first, values.size()), values.begin());
    own.emplace_back(values);
  }
  std::vector<std::vector<float>> whole{std::vector<float>(5), std::vector<float>(37)};
  exchange.collect(own, whole);
  exchange.share_weights();
  for (std::size_t t = 0; t < parameters.size(); ++t) {
    EXPECT_TRUE(same_bits(parameters[t].values, leaf(0, t).values()));
    if (grid.replica() == 0) {
      EXPECT_TRUE(same_bits(whole[t], leaf(0, t).values()));
    }
  }
  EXPECT_FALSE(exchange.differing_holder());
}

TEST(ReplicaExchange, shares_weights_and_collects_what_each_owns) {
  expect_weights_of_their_owners(world().size() + 1);
  expect_weights_of_their_owners(2);
}

TEST(ReplicaExchange, names_the_replica_whose_weights_have_another_bit) {
  if (world().size() == 1) return;
  const Index replicas = world().size();
  const Grid grid(world(), replicas, {64, replicas});
  Tensors tensors(1);
  std::vector<model::Parameter> parameters = tensors.parameters();
  const ReplicaExchange exchange(grid.column(), grid.slices_of_column(), parameters);
  for (const Index damaged : {Index{1}, replicas - 1, Index{0}}) {
    if (grid.replica() == damaged) parameters[1].values[17] = -0.0F;
    EXPECT_EQ(exchange.differing_holder(), replicas == 2 ? 1 : damaged);
    parameters[1].values[17] = 0;
  }
}

TEST(ReplicaExchange, sends_and_receives_what_its_closed_form_says) {
  const Index replicas = world().size();
  const Grid grid(world(), replicas, {64, 4});
  Tensors tensors(static_cast<Index>(grid.slices().blocks().size()));
  ReplicaExchange exchange(grid.column(), grid.slices_of_column(), tensors.parameters());
  const comm::Traffic before = world().traffic();
  exchange.sum_gradients();
  exchange.share_weights();
  const comm::Traffic after = world().traffic();
  const Topology chunks(42, replicas);
  const Index own = chunks.range(grid.replica()).count;
  const auto blocks = [&](Index r) {
    return static_cast<Index>(grid.slices_of_column()[size(r)].blocks().size());
  };
  Index received_blocks = 0;
  for (Index r = 0; r < replicas; ++r) received_blocks += r == grid.replica() ? 0 : blocks(r);
  EXPECT_EQ(after.bytes_sent - before.bytes_sent,
            4 * (blocks(grid.replica()) * (42 - own) + (replicas - 1) * own));
  EXPECT_EQ(after.bytes_received - before.bytes_received, 4 * (received_blocks * own + (42 - own)));
}

TEST(ReplicaExchange, sends_as_much_by_halving) {
  const Index replicas = world().size();
  if (replicas == 3) return;  // not a power of two
  const Grid grid(world(), replicas, {64, 4});
  Tensors tensors(static_cast<Index>(grid.slices().blocks().size()));
  ReplicaExchange exchange(grid.column(), grid.slices_of_column(), tensors.parameters(), 2);
  const comm::Traffic before = world().traffic();
  exchange.sum_gradients();
  const comm::Traffic after = world().traffic();
  const std::int64_t moved =
      after.bytes_sent - before.bytes_sent + after.bytes_received - before.bytes_received;
  std::array<std::int64_t, 1> of_all{moved};
  world().all_reduce(of_all);
  EXPECT_EQ(of_all[0], 2 * 4 * 42 * (replicas - 1));
}

TEST(Grid, stands_in_rows_of_a_replica_and_columns_of_the_same_experts) {
  if (world().size() != 4) return;
  const Grid grid(world(), 2, {10, 3});
  EXPECT_EQ(grid.replica(), world().rank() / 2);
  EXPECT_EQ(grid.group().size(), 2);
  EXPECT_EQ(grid.group().rank(), world().rank() % 2);
  EXPECT_EQ(grid.column().size(), 2);
  EXPECT_EQ(grid.column().rank(), world().rank() / 2);
  EXPECT_EQ(grid.slices().count(), grid.replica() == 0 ? 1 : 2);
  EXPECT_EQ(&grid.group().timing(), &world().timing());
}

TEST(Grid, says_what_would_do) {
  EXPECT_THROW(Grid::check(world().size(), 5, {64, 4}), InputError);
  EXPECT_THROW(Grid::check(world().size(), world().size() + 1, {64, 64}), InputError);
  EXPECT_NO_THROW(Grid::check(world().size(), world().size(), {64, 64}));
}

TEST(BatchLoss, adds_the_slices_in_their_order_whoever_has_them) {
  constexpr Index slices = 5;
  const auto loss_of = [](Index s) { return numerics::Loss{std::exp(static_cast<double>(s) / 3), s}; };
  numerics::Loss expected;
  for (Index s = 0; s < slices; ++s) expected += loss_of(s);
  const Grid grid(world(), world().size(), {64, slices});
  std::vector<numerics::Loss> own;
  for (Index j = 0; j < grid.slices().count(); ++j) own.push_back(loss_of(grid.slices().first() + j));
  BatchLoss loss(grid);
  loss.start(own);
  const numerics::Loss found = loss.finish();
  EXPECT_EQ(found.sum, expected.sum);
  EXPECT_EQ(found.errors, expected.errors);
}

}  // namespace
}  // namespace dmoe::exchange
