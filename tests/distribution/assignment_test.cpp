#include "distribution/assignment.hpp"

#include <cmath>
#include <cstdlib>
#include <vector>

#include <gtest/gtest.h>

#include "distribution/sample_network.hpp"
#include "support/world.hpp"

namespace dmoe::distribution {
namespace {

using test::random_matrix;
using test::world;

const model::NetworkSpec spec{6, 3, {{7, 4, 3}, {5, 3, 4}, {1, 2, 2}}};

TEST(AssignmentReduction, adds_the_gates_of_all_experts_as_integers) {
  Network network(spec, world(), 1, 16);
  AssignmentReduction reduction(network);
  for (const Index rows : {16, 5}) {
    const Matrix x = random_matrix(rows, 6, 1);
    network.forward(x.view(), network.no_masks());
    reduction.start({});
    reduction.finish();
    EXPECT_EQ(reduction.requests(), StepRequests{});
    for (Index l = 0; l < spec.layer_count(); ++l) {
      const Index experts = spec.layers[size(l)].experts;
      const ConstMatrixView gates = network.gates(l);
      balance::Total sum = 0;
      ASSERT_EQ(reduction.assigned(l).size(), size(experts));
      for (Index i = 0; i < experts; ++i) {
        balance::Total expected = 0;
        for (Index b = 0; b < rows; ++b) {
          expected += std::llrint(static_cast<double>(gates(b, i)) * 16777216.0);
        }
        EXPECT_EQ(reduction.assigned(l)[size(i)], expected);
        sum += reduction.assigned(l)[size(i)];
      }
      EXPECT_LE(std::abs(sum - rows * (balance::Total{1} << 24)), 2 * rows * experts);
    }
  }
}

TEST(AssignmentReduction, carries_every_kind_of_request_from_any_rank_to_all) {
  Network network(spec, world(), 1, 4);
  AssignmentReduction reduction(network);
  const Matrix x = random_matrix(4, 6, 1);
  for (const StepRequests& asked : {StepRequests{.stop = true}, StepRequests{.checkpoint = true},
                                    StepRequests{.help = true}, StepRequests{true, true, true}}) {
    for (int asking = -1; asking < world().size(); ++asking) {  // -1: nobody
      network.forward(x.view(), network.no_masks());
      reduction.start(world().rank() == asking ? asked : StepRequests{});
      reduction.finish();
      EXPECT_EQ(reduction.requests(), asking >= 0 ? asked : StepRequests{});
    }
  }
}

}  // namespace
}  // namespace dmoe::distribution
