#include "numerics/largest.hpp"

#include <algorithm>
#include <limits>
#include <numeric>

#include <gmock/gmock.h>

#include "core/random.hpp"

namespace dmoe::numerics {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

using Places = std::vector<Index>;

constexpr float nan = std::numeric_limits<float>::quiet_NaN();
constexpr float infinity = std::numeric_limits<float>::infinity();

struct Scores {
  std::vector<float> values;
  std::vector<std::uint8_t> masked;

  explicit Scores(std::vector<float> of) : values(std::move(of)), masked(values.size()) {}
  Places largest(std::size_t count) const {
    Places found{99};
    EXPECT_TRUE(find_largest(count, values, masked, found));
    return found;
  }
  Places sorted(std::size_t count) const {
    Places places;
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (masked[i] == 0) places.push_back(static_cast<Index>(i));
    }
    std::ranges::stable_sort(places, [&](Index a, Index b) { return values[size(a)] > values[size(b)]; });
    places.resize(std::min(places.size(), count));
    return places;
  }
};

TEST(Largest, come_in_order_of_equals_the_first_first) {
  EXPECT_THAT(Scores({1, 3, 2, 3}).largest(3), ElementsAre(1, 3, 2));
  EXPECT_THAT(Scores({1, 3, 2, 3}).largest(9), ElementsAre(1, 3, 2, 0));
  EXPECT_THAT(Scores({-infinity, infinity, -infinity}).largest(2), ElementsAre(1, 0));
  EXPECT_THAT(Scores({}).largest(1), IsEmpty());
}

TEST(Largest, are_what_sorting_gives) {
  for (std::uint64_t trial = 0; trial < 3000; ++trial) {
    RandomStream stream(1, Purpose::test, trial);
    Scores scores(std::vector<float>(size(stream.below(500))));
    const Index levels = stream.below(2) == 0 ? 5 : 1'000'000;  // with ties and without
    const Index middle = levels / 2;
    for (float& value : scores.values) value = static_cast<float>(stream.below(levels) - middle);
    const Index kept = 1 + stream.below(4);  // of four, so that the largest of all may be masked
    for (std::uint8_t& value : scores.masked) value = stream.below(4) < kept ? 0 : 1;
    if (trial % 3 == 0 && !scores.values.empty()) {  // the largest stand side by side, and are masked
      const std::size_t first = size(stream.below(static_cast<Index>(scores.values.size())));
      for (std::size_t i = first; i < std::min(first + 40, scores.values.size()); ++i) {
        scores.values[i] += 1e7F;
        scores.masked[i] = trial % 2 == 0 ? 1 : 0;
      }
    }
    const std::size_t count = 1 + size(stream.below(12));
    EXPECT_EQ(scores.largest(count), scores.sorted(count)) << trial;
  }
}

TEST(Largest, are_told_of_numbers_alone) {
  Places found;
  for (const Index total : {1, 15, 16, 17, 127, 128, 200, 400}) {
    for (Index place = 0; place < total; ++place) {
      Scores scores{std::vector<float>(size(total))};
      std::iota(scores.values.begin(), scores.values.end(), 0.0F);
      scores.values[size(place)] = nan;
      EXPECT_FALSE(find_largest(2, scores.values, scores.masked, found)) << place << " of " << total;
      scores.masked[size(place)] = 1;
      EXPECT_TRUE(find_largest(2, scores.values, scores.masked, found)) << place << " of " << total;
      EXPECT_EQ(found.size(), std::min<std::size_t>(2, size(total - 1)));
    }
  }
}

}  // namespace
}  // namespace dmoe::numerics
