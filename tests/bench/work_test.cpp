#include "bench/work.hpp"

#include <vector>

#include <gtest/gtest.h>

namespace dmoe::bench {
namespace {

const model::NetworkSpec papers{1296, 10, {{4, 100, 50}, {4, 100, 50}}};
const model::NetworkSpec uneven{6, 3, {{7, 50, 1}}};

TEST(Work, of_the_papers_network_follows_the_closed_form) {
  // Of the first layer y and dW, of all others y, dW and dx.
  constexpr Index first_experts = 2 * 4 * 1296 * 100;
  constexpr Index first_gate = 2 * 1296 * 50 + 3 * 50 * 4;
  constexpr Index second_experts = 3 * 4 * 100 * 100;
  constexpr Index second_gate = 3 * (100 * 50 + 50 * 4);
  constexpr Index head = 3 * 100 * 10;
  constexpr Index coordinator = first_gate + second_gate + head;
  EXPECT_EQ(work(papers, Pass::step, 1, 0), coordinator + first_experts + second_experts);
  EXPECT_EQ(work(papers, Pass::step, 2, 0), coordinator + (first_experts + second_experts) / 2);
  EXPECT_EQ(work(papers, Pass::step, 2, 1), (first_experts + second_experts) / 2);
}

TEST(Work, of_a_forward_pass_is_one_product_of_each_part) {
  constexpr Index experts = 4 * (1296 * 100 + 100 * 100);
  constexpr Index gates = (1296 + 100 + 2 * 4) * 50;
  constexpr Index head = 100 * 10;
  EXPECT_EQ(work(papers, Pass::evaluation, 1, 0), experts + gates + head);
  EXPECT_EQ(work(papers, Pass::evaluation, 4, 0), experts / 4 + gates + head);
  EXPECT_EQ(work(papers, Pass::evaluation, 4, 3), experts / 4);
}

TEST(Work, follows_the_split_of_the_experts) {  // seven on three ranks: 2, 2 and 3
  EXPECT_EQ(work(uneven, Pass::step, 3, 0), 2 * 2 * 6 * 50 + (2 * 6 + 3 * 7) + 3 * 50 * 3);
  EXPECT_EQ(work(uneven, Pass::step, 3, 1), 2 * 2 * 6 * 50);
  EXPECT_EQ(work(uneven, Pass::step, 3, 2), 3 * 2 * 6 * 50);
}

TEST(Work, of_all_ranks_together_is_that_of_one) {
  for (const model::NetworkSpec& spec :
       {papers, uneven, model::NetworkSpec{9, 2, {{16, 4, 3}, {1, 5, 2}, {6, 3, 4}}}}) {
    for (const Pass pass : {Pass::step, Pass::evaluation}) {
      for (Index ranks = 1; ranks <= 5; ++ranks) {
        double sum = 0;
        for (Index rank = 0; rank < ranks; ++rank) sum += work(spec, pass, ranks, rank);
        EXPECT_EQ(sum, work(spec, pass, 1, 0)) << ranks << " ranks";
      }
    }
  }
}

TEST(Work, of_a_forward_pass_is_what_the_network_says_without_the_mixing) {
  EXPECT_EQ(work(papers, Pass::evaluation, 1, 0), papers.multiply_accumulates() - 2 * 4 * 100);
  EXPECT_EQ(work(uneven, Pass::evaluation, 1, 0), uneven.multiply_accumulates() - 7 * 50);
}

TEST(SpeedupCeiling, is_all_work_over_that_of_the_busiest) {
  EXPECT_EQ(speedup_ceiling(papers, Pass::step, 1), 1);
  EXPECT_DOUBLE_EQ(speedup_ceiling(papers, Pass::step, 2), 1'305'600.0 / 727'200);  // the coordinator
  EXPECT_DOUBLE_EQ(speedup_ceiling(papers, Pass::evaluation, 2), 629'600.0 / 350'400);
  EXPECT_DOUBLE_EQ(speedup_ceiling(uneven, Pass::step, 3), 4'683.0 / 1'800);  // the last one
}

}  // namespace
}  // namespace dmoe::bench
