#include "model/routing.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include <gmock/gmock.h>

#include "core/matrix.hpp"
#include "core/random.hpp"
#include "numerics/kernels.hpp"

namespace dmoe::model {
namespace {

using testing::ElementsAre;

using Chosen = std::vector<Index>;

Chosen choice_of(const Routing& routing, const std::vector<float>& p, std::vector<std::uint8_t> masked = {}) {
  masked.resize(p.size());
  Chosen chosen{99};  // of the row before
  routing.choose(p, masked, chosen);
  return chosen;
}

TEST(TopK, chooses_the_largest_ascending) {
  EXPECT_THAT(choice_of(TopK(1), {0.1F, 0.2F, 0.4F, 0.3F}), ElementsAre(2));
  EXPECT_THAT(choice_of(TopK(2), {0.4F, 0.1F, 0.2F, 0.3F}), ElementsAre(0, 3));
  EXPECT_THAT(choice_of(TopK(9), {0.4F, 0.3F, 0.3F}), ElementsAre(0, 1, 2));
}

TEST(TopK, prefers_the_lower_index_of_equals) {
  EXPECT_THAT(choice_of(TopK(2), {0.25F, 0.25F, 0.25F, 0.25F}), ElementsAre(0, 1));
  EXPECT_THAT(choice_of(TopK(2), {0.2F, 0.2F, 0.4F, 0.2F}), ElementsAre(0, 2));
  EXPECT_THAT(choice_of(TopK(3), {0.0F, 0.0F, 1.0F, 0.0F}), ElementsAre(0, 1, 2));
}

TEST(TopK, never_chooses_the_masked) {
  EXPECT_THAT(choice_of(TopK(2), {0.0F, 0.5F, 0.5F, 0.0F}, {0, 1, 0, 0}), ElementsAre(0, 2));
  EXPECT_THAT(choice_of(TopK(3), {0.0F, 0.0F, 1.0F, 0.0F}, {1, 1, 0, 1}), ElementsAre(2));
}

TEST(TopK, is_what_sorting_gives) {
  for (std::uint64_t trial = 0; trial < 500; ++trial) {
    RandomStream stream(1, Purpose::test, trial);
    std::vector<float> p(1 + size(stream.below(20)));
    std::vector<std::uint8_t> masked(p.size());
    for (float& value : p) value = static_cast<float>(stream.below(8));  // with ties
    for (std::uint8_t& value : masked) value = stream.below(3) == 0 ? 1 : 0;
    masked[size(stream.below(static_cast<Index>(p.size())))] = 0;
    Chosen order;
    for (std::size_t i = 0; i < p.size(); ++i) {
      if (masked[i] == 0) order.push_back(static_cast<Index>(i));
    }
    std::ranges::stable_sort(order, [&](Index a, Index b) { return p[size(a)] > p[size(b)]; });
    const Index k = 1 + stream.below(6);
    order.resize(std::min(order.size(), size(k)));
    std::ranges::sort(order);
    EXPECT_EQ(choice_of(TopK(k), p, masked), order);
  }
}

/// Logits of up to 80 experts, some of them masked.
struct Row {
  explicit Row(std::uint64_t trial) {
    RandomStream stream(2, Purpose::test, trial);
    logits.resize(1 + size(stream.below(80)));
    masked.resize(logits.size());
    const float scale = std::pow(10.0F, static_cast<float>(stream.below(7)) - 3);  // from all near to all far
    for (float& logit : logits) logit = scale * stream.normal();
    if (trial % 4 == 0) {  // by the smallest step from one to the next
      for (std::size_t i = 1; i < logits.size(); ++i)
        logits[i] = std::nextafter(logits[i - 1], static_cast<float>(stream.below(3)) - 1);
    }
    for (std::uint8_t& value : masked) value = stream.below(4) == 0 ? 1 : 0;
    masked[size(stream.below(static_cast<Index>(logits.size())))] = 0;
  }
  /// What is chosen of the softmax.
  Chosen by_p(const TopK& routing) const {
    Matrix p(1, static_cast<Index>(logits.size()));
    numerics::masked_softmax({logits.data(), 1, p.columns()}, masked, p.view());
    Chosen chosen;
    routing.choose(p.values(), masked, chosen);
    return chosen;
  }

  std::vector<float> logits;
  std::vector<std::uint8_t> masked;
};

TEST(TopK, chooses_by_logits_what_it_chooses_by_probabilities) {
  Index told = 0;
  constexpr Index trials = 4000;
  for (std::uint64_t trial = 0; trial < trials; ++trial) {
    const Row row(trial);
    const TopK routing(1 + static_cast<Index>(trial) % 5);
    Chosen chosen{99};
    if (!routing.choose_by_logits(row.logits, row.masked, chosen)) continue;
    ++told;
    EXPECT_EQ(chosen, row.by_p(routing)) << trial;
  }
  EXPECT_GT(told, trials / 2);
}

TEST(TopK, leaves_to_the_softmax_what_logits_do_not_tell) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinity = std::numeric_limits<float>::infinity();
  constexpr float smallest = std::numeric_limits<float>::epsilon();
  const std::vector<std::uint8_t> masked{0, 0, 0, 1};
  const auto is_told = [&](const std::vector<float>& logits) {
    Chosen chosen;
    return TopK(2).choose_by_logits(logits, masked, chosen);
  };
  EXPECT_TRUE(is_told({3, 1, 2, 2}));
  EXPECT_TRUE(is_told({3, 1, 2, nan}));  // masked
  EXPECT_FALSE(is_told({3, nan, 2, 2}));
  EXPECT_FALSE(is_told({infinity, 1, 2, 2}));
  EXPECT_FALSE(is_told({3, 2, 2, 2}));             // a tie
  EXPECT_FALSE(is_told({3, 1, 1 + smallest, 2}));  // a tie once rounded
  EXPECT_FALSE(is_told({0, -200, -150, 2}));       // both have no probability left
  EXPECT_TRUE(is_told({3, -infinity, 2, 2}));
  Chosen chosen;
  EXPECT_FALSE(TopK(2).choose_by_logits(std::vector{3.0F}, std::vector<std::uint8_t>{1}, chosen));
}

TEST(Threshold, chooses_who_reaches_it_and_the_largest) {
  EXPECT_THAT(choice_of(Threshold(0.3), {0.3F, 0.1F, 0.4F, 0.2F}), ElementsAre(0, 2));
  EXPECT_THAT(choice_of(Threshold(0.9), {0.3F, 0.35F, 0.35F}), ElementsAre(1));
  EXPECT_THAT(choice_of(Threshold(0.0), {0.0F, 1.0F, 0.0F}, {1, 0, 0}), ElementsAre(1, 2));
}

/// So that the loss is not finite, and the run says so.
TEST(Routings, keep_numbers_that_have_gone_wrong) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THAT(choice_of(TopK(2), {nan, nan, nan, nan}, {1, 0, 0, 0}), ElementsAre(1, 2));
  EXPECT_THAT(choice_of(Threshold(0.5), {nan, nan, nan}), ElementsAre(0, 1, 2));
}

TEST(Routings, say_what_a_row_takes_at_most) {
  EXPECT_EQ(TopK(2).most_chosen(7), 2);
  EXPECT_EQ(TopK(9).most_chosen(7), 7);
  EXPECT_EQ(Threshold(0.5).most_chosen(7), 7);
  EXPECT_TRUE(TopK(7).is_dense(7));
  EXPECT_TRUE(TopK(7, GateValue::probability).is_dense(7));
  EXPECT_FALSE(TopK(7, GateValue::straight_through).is_dense(7));
  EXPECT_FALSE(TopK(7, GateValue::renormalised, 0.1).is_dense(7));
  EXPECT_FALSE(Threshold(0).is_dense(7));
  EXPECT_TRUE(AllExperts().is_dense(7));
}

TEST(RoutingRegistry, makes_them_of_settings) {
  EXPECT_EQ(routings().names(), "all, top_k, threshold");
  Settings settings = defaults(routings().find("top_k").settings);
  const auto two = routings().find("top_k").make(settings);
  EXPECT_EQ(two->most_chosen(7), 2);
  EXPECT_EQ(two->value(), GateValue::renormalised);
  settings = {};
  settings.set("k", std::int64_t{1});
  settings.set("value", "greatest");
  settings.set("noise", 0.0);
  try {
    routings().find("top_k").make(settings);
    FAIL() << "nothing was thrown";
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("unknown gate value 'greatest'; known: renormalised"));
  }
}

}  // namespace
}  // namespace dmoe::model
