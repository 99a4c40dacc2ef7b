#include <gtest/gtest.h>

#include "bench/census.hpp"
#include "distribution/network.hpp"
#include "support/world.hpp"

namespace dmoe::bench {
namespace {

using test::world;

TEST(BytesMoved, are_five_times_the_weights_in_the_first_layer_and_six_above) {
  const model::NetworkSpec spec{12, 3, {{4, 6, 3}, {9, 5, 2}}};
  EXPECT_EQ(bytes_moved(spec, 0), 5 * 4 * (6 * 12));
  EXPECT_EQ(bytes_moved(spec, 1), 6 * 4 * (5 * 6));
}

TEST(ParameterBytes, of_the_papers_network_follow_the_closed_form) {
  const model::NetworkSpec papers{1296, 10, {{4, 100, 50}, {4, 100, 50}}};
  constexpr Index experts = 4 * 100 * (1297 + 101);
  constexpr Index gates = 50 * (1297 + 101) + 2 * 4 * 51;
  constexpr Index head = 10 * 101;
  EXPECT_EQ(parameter_bytes(papers, 1, 0), 8 * (experts + gates + head));
  EXPECT_EQ(parameter_bytes(papers, 2, 0), 8 * (experts / 2 + gates + head));
  EXPECT_EQ(parameter_bytes(papers, 2, 1), 8 * (experts / 2));
}

TEST(ParameterBytes, are_what_each_rank_of_a_network_holds) {
  for (const model::NetworkSpec& spec : {model::NetworkSpec{6, 3, {{7, 4, 3}}},
                                         {6, 3, {{5, 4, 3}, {7, 3, 2}}},
                                         {9, 2, {{16, 4, 3}, {1, 5, 2}, {6, 3, 4}}}}) {
    distribution::Network network(spec, world(), 1, 4);
    std::size_t held = 0;
    network.for_each_parameter([&](const model::Parameter& parameter) {
      held += parameter.values.size_bytes() + parameter.gradient.size_bytes();
    });
    EXPECT_EQ(parameter_bytes(spec, world().size(), world().rank()), static_cast<Index>(held));
  }
}

}  // namespace
}  // namespace dmoe::bench
