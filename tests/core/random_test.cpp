#include "core/random.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <numeric>
#include <vector>

#include <Random123/philox.h>
#include <gtest/gtest.h>

namespace dmoe {
namespace {

using Words = std::array<std::uint32_t, 4>;
using Key = std::array<std::uint32_t, 2>;

/// Philox4x32-10 written down from the paper (Salmon et al. 2011, section 3.3), as an oracle.
Words philox(Words c, Key key) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t a = std::uint64_t{0xD2511F53} * c[0];
    const std::uint64_t b = std::uint64_t{0xCD9E8D57} * c[2];
    c = {static_cast<std::uint32_t>(b >> 32U) ^ c[1] ^ key[0], static_cast<std::uint32_t>(b),
         static_cast<std::uint32_t>(a >> 32U) ^ c[3] ^ key[1], static_cast<std::uint32_t>(a)};
    key[0] += 0x9E3779B9;  // golden ratio
    key[1] += 0xBB67AE85;  // sqrt(3) - 1
  }
  return c;
}

struct KnownAnswer {
  Words counter;
  Key key;
  Words output;
};

/// kat_vectors of the Random123 distribution, the lines "philox4x32 10".
const std::array<KnownAnswer, 3> known_answers{{
    {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
    {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
     {0xffffffff, 0xffffffff},
     {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
    {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
     {0xa4093822, 0x299f31d0},
     {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
}};

std::vector<std::uint32_t> words(RandomStream stream, int count) {
  std::vector<std::uint32_t> drawn;
  for (int i = 0; i < count; ++i) drawn.push_back(stream.word());
  return drawn;
}

TEST(Philox, gives_the_published_answers) {
  for (const KnownAnswer& known : known_answers) {
    const auto& c = known.counter;
    const auto block = r123::Philox4x32{}({{c[0], c[1], c[2], c[3]}},
                                          r123::Philox4x32::key_type{{known.key[0], known.key[1]}});
    EXPECT_TRUE(std::equal(block.begin(), block.end(), known.output.begin()));
    EXPECT_EQ(philox(known.counter, known.key), known.output);
  }
}

TEST(RandomStream, starts_with_the_published_answer_of_zeros) {
  const auto& expected = known_answers[0].output;
  EXPECT_EQ(words(RandomStream(0, Purpose{0}, 0), 4), std::vector(expected.begin(), expected.end()));
}

TEST(RandomStream, is_philox_of_block_purpose_and_index_keyed_by_the_seed) {
  const std::uint64_t seed = 0x299f31d0a4093822;
  const std::uint64_t index = 0x0370734413198a2e;
  std::vector<std::uint32_t> expected;
  for (std::uint32_t block = 0; block < 3; ++block) {
    const Words output = philox({block, 2, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0});
    expected.insert(expected.end(), output.begin(), output.end());
  }
  EXPECT_EQ(words(RandomStream(seed, Purpose::train_transform, index), 12), expected);
}

TEST(RandomStream, differs_with_each_part_of_its_key) {
  const auto base = words(RandomStream(1, Purpose::test, 1), 4);
  EXPECT_EQ(words(RandomStream(1, Purpose::test, 1), 4), base);
  EXPECT_NE(words(RandomStream(2, Purpose::test, 1), 4), base);
  EXPECT_NE(words(RandomStream(1 + (std::uint64_t{1} << 32U), Purpose::test, 1), 4), base);
  EXPECT_NE(words(RandomStream(1, Purpose::bench, 1), 4), base);
  EXPECT_NE(words(RandomStream(1, Purpose::test, 2), 4), base);
  EXPECT_NE(words(RandomStream(1, Purpose::test, 1 + (std::uint64_t{1} << 32U)), 4), base);
}

TEST(RandomStream, uniform_is_the_upper_24_bits_of_a_word) {
  RandomStream bits(3, Purpose::test, 0);
  RandomStream values(3, Purpose::test, 0);
  RandomStream ranged(3, Purpose::test, 0);
  for (int i = 0; i < 1000; ++i) {
    const float expected = static_cast<float>(bits.word() / 256) / 16777216.0F;
    EXPECT_EQ(values.uniform(), expected);
    EXPECT_LT(expected, 1.0F);
    const float between = ranged.uniform(-2.0F, 6.0F);
    EXPECT_EQ(between, -2.0F + 8.0F * expected);
  }
}

TEST(RandomStream, below_is_uniform) {
  constexpr Index bound = 7;
  constexpr int draws = 70000;
  RandomStream stream(4, Purpose::test, 0);
  std::array<int, bound> counts{};
  for (int i = 0; i < draws; ++i) ++counts.at(size(stream.below(bound)));
  double chi_square = 0.0;
  for (const int count : counts) chi_square += (count - 10000.0) * (count - 10000.0) / 10000.0;
  EXPECT_LT(chi_square, 22.5);  // 6 degrees of freedom, p = 0.001
}

TEST(RandomStream, below_rejects_the_words_that_would_bias_it) {
  // With a bound of 2^31 + 1 nearly half of all words are rejected; without rejection the draw would be
  // the high half of word * bound.
  constexpr Index bound = (Index{1} << 31) + 1;
  constexpr std::uint64_t threshold = (std::uint64_t{1} << 32U) % std::uint64_t{bound};
  RandomStream bits(5, Purpose::test, 0);
  RandomStream stream(5, Purpose::test, 0);
  int rejected = 0;
  for (int i = 0; i < 1000; ++i) {
    std::uint64_t product = std::uint64_t{bits.word()} * std::uint64_t{bound};
    for (; product % (std::uint64_t{1} << 32U) < threshold; ++rejected) {
      product = std::uint64_t{bits.word()} * std::uint64_t{bound};
    }
    EXPECT_EQ(stream.below(bound), static_cast<Index>(product >> 32U));
  }
  EXPECT_GT(rejected, 500);
}

TEST(Shuffled, is_a_permutation_set_by_the_stream) {
  std::vector<Index> order;
  shuffled(100, RandomStream(6, Purpose::test, 0), order);
  std::vector<Index> same{1, 2, 3};
  shuffled(100, RandomStream(6, Purpose::test, 0), same);
  EXPECT_EQ(order, same);
  std::vector<Index> other;
  shuffled(100, RandomStream(6, Purpose::test, 1), other);
  EXPECT_NE(order, other);

  std::vector<Index> identity(100);
  std::iota(identity.begin(), identity.end(), Index{0});
  EXPECT_NE(order, identity);
  std::ranges::sort(order);
  EXPECT_EQ(order, identity);
}

TEST(Shuffled, reaches_every_order_equally_often) {
  std::array<int, 6> counts{};
  std::vector<Index> order;
  for (std::uint64_t i = 0; i < 6000; ++i) {
    shuffled(3, RandomStream(7, Purpose::test, i), order);
    ++counts.at(size(order[0] * 2 + (order[1] > order[2] ? 1 : 0)));
  }
  double chi_square = 0.0;
  for (const int count : counts) chi_square += (count - 1000.0) * (count - 1000.0) / 1000.0;
  EXPECT_LT(chi_square, 20.5);  // 5 degrees of freedom, p = 0.001
}

}  // namespace
}  // namespace dmoe
