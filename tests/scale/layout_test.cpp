#include "scale/layout.hpp"

#include <gmock/gmock.h>

namespace dmoe::scale {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(Layouts, are_those_in_which_each_rank_has_work) {
  EXPECT_THAT(layouts_of(8, 4, 7), ElementsAre(Layout{2, 4}, Layout{4, 2}));
  EXPECT_THAT(layouts_of(7, 4, 7), ElementsAre(Layout{1, 7}));
  EXPECT_THAT(layouts_of(3, 4, 1), ElementsAre(Layout{3, 1}));
  EXPECT_THAT(layouts_of(3, 4, 0), ElementsAre(Layout{3, 1}));  // no layer is split
  EXPECT_THAT(layouts_of(1, 1, 7), ElementsAre(Layout{1, 1}));
  EXPECT_THAT(layouts_of(11, 4, 7), IsEmpty());
  EXPECT_THAT(layouts_of(8, 1, 7), IsEmpty());
}

TEST(Layouts, of_one_shard_are_gated_in_one_way) {
  EXPECT_THAT(layouts_of(4, 4, 4, {Gating::coordinator, Gating::rows}),
              ElementsAre(Layout{1, 4}, Layout{1, 4, Gating::rows}, Layout{2, 2}, Layout{2, 2, Gating::rows},
                          Layout{4, 1}));
}

TEST(Layouts, are_said_in_words) {
  EXPECT_EQ(to_text(Layout{1, 1}), "one rank");
  EXPECT_EQ(to_text(Layout{1, 4}), "4 shards");
  EXPECT_EQ(to_text(Layout{4, 1}), "4 replicas");
  EXPECT_EQ(to_text(Layout{2, 4}), "2 replicas of 4 ranks");
}

}  // namespace
}  // namespace dmoe::scale
