#include "core/suggestion.hpp"

#include <gtest/gtest.h>

namespace dmoe {
namespace {

TEST(Suggestion, is_the_nearest_word_that_is_near) {
  EXPECT_EQ(suggestion("trian", {"evaluate", "train", "info"}), " (did you mean train?)");
  EXPECT_EQ(suggestion("hiden", {"experts", "hidden", "gate_hidden"}), " (did you mean hidden?)");
  EXPECT_EQ(suggestion("xyz", {"train", "info"}), "");
  EXPECT_EQ(suggestion("ab", {"cd"}), "");
}

}  // namespace
}  // namespace dmoe
