#include "training/trouble.hpp"

#include <cmath>
#include <string>

#include <gmock/gmock.h>

#include "support/random_matrix.hpp"
#include "support/world.hpp"

namespace dmoe::training {
namespace {

using test::world;

const numerics::Loss fine{1.0, 0};

std::string message_of(const Trouble& trouble) {
  try {
    trouble.check();
  } catch (const NumericalError& error) {
    return error.what();
  }
  return "";
}

TEST(Trouble, is_none_while_numbers_are_finite) {
  distribution::Network network({6, 3, {{5, 4, 3}}}, world(), 0, 4);
  Trouble trouble(network);
  trouble.note(1, fine, {}, 0.5);
  EXPECT_FALSE(trouble.is_there());
  EXPECT_EQ(message_of(trouble), "");
}

TEST(Trouble, is_told_by_all_ranks_where_it_came_first) {
  distribution::Network network({6, 3, {{5, 4, 3}}}, world(), 0, 4);
  const int last = world().size() - 1;
  Trouble trouble(network);
  if (world().rank() == last) trouble.note(3, fine, "layers/1/experts/weight", 0.5);
  trouble.note(4, fine, "head/bias", 0.25);
  EXPECT_TRUE(trouble.is_there());
  EXPECT_EQ(message_of(trouble),
            fmt::format("step 3, rank {}: the gradient of layers/1/experts/weight is not finite; a learning "
                        "rate below 0.5, or train.max_gradient_norm, may help",
                        last));
}

TEST(Trouble, of_a_loss_names_the_first_layer_with_it) {
  distribution::Network network({6, 3, {{5, 4, 3}}}, world(), 0, 4);
  network.forward(test::random_matrix(4, 6, 1).view(), network.no_masks());
  Trouble trouble(network);
  if (world().is_coordinator()) trouble.note(2, {NAN, 0}, {}, 0.5);
  EXPECT_THAT(message_of(trouble), testing::StartsWith("step 2, rank 0: the loss is not finite;"));
}

}  // namespace
}  // namespace dmoe::training
