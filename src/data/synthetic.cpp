#include "data/synthetic.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "core/random.hpp"

namespace dmoe::data {
namespace {

constexpr Index side = 12;           // [pixels]
constexpr float half_stroke = 2.0F;  // where a stroke's ink has faded to nothing [pixels]
constexpr Index family_count = 4;
constexpr std::uint64_t train_streams = std::uint64_t{1} << 32U;
constexpr std::uint64_t test_streams = std::uint64_t{1} << 33U;

struct Point {
  float row;
  float column;
};
using Glyph = std::array<Point, 4>;

/// A point of the square [low, high) x [low, high).
Point random_point(RandomStream& random, float low, float high) {
  const float row = random.uniform(low, high);
  return {row, random.uniform(low, high)};
}

/// The point `along` pixels round the border of the square [low, high] x [low, high], 0 <= along <= 4 sides.
Point border_point(float along, float low, float high) {
  const float length = high - low;
  if (along < length) return {low, low + along};
  if (along < 2 * length) return {low + along - length, high};
  if (along < 3 * length) return {high, high + 2 * length - along};
  return {high + 3 * length - along, low};
}

/// The glyphs (classes): those of a family share all corners but the last; the last ones stand at equal
/// distances round the border of the image.
std::vector<Glyph> class_glyphs(Index classes, std::uint64_t seed) {
  constexpr float low = 1.0F;
  constexpr float high = static_cast<float>(side - 2);
  const float border = 4 * (high - low);
  std::vector<Glyph> glyphs(size(classes));
  for (Index label = 0; label < classes; ++label) {
    const Index family = label % family_count;
    const Index member = label / family_count;
    const Index members = (classes - family + family_count - 1) / family_count;
    RandomStream random(seed, Purpose::synthetic, static_cast<std::uint64_t>(family));
    Glyph& glyph = glyphs[size(label)];
    for (Point& corner : glyph) corner = random_point(random, low, high);
    const float share = (static_cast<float>(member) + random.uniform()) / static_cast<float>(members);
    glyph.back() = border_point(border * share, low, high);
  }
  return glyphs;
}

/// Distance from p to the segment from a to b [pixels].
float distance(Point p, Point a, Point b) {
  const Point along{b.row - a.row, b.column - a.column};
  const Point to_p{p.row - a.row, p.column - a.column};
  const float square = along.row * along.row + along.column * along.column;
  const float dot = to_p.row * along.row + to_p.column * along.column;
  const float position = square > 0.0F ? std::clamp(dot / square, 0.0F, 1.0F) : 0.0F;
  const float row = to_p.row - position * along.row;
  const float column = to_p.column - position * along.column;
  return std::sqrt(row * row + column * column);
}

/// Full ink in the middle of a stroke, fading to none at half_stroke from it.
std::uint8_t ink(Point pixel, const Glyph& glyph) {
  float nearest = distance(pixel, glyph[0], glyph[1]);
  for (std::size_t i = 1; i + 1 < glyph.size(); ++i) {
    nearest = std::min(nearest, distance(pixel, glyph[i], glyph[i + 1]));
  }
  return static_cast<std::uint8_t>(std::lround(255.0F * std::clamp(half_stroke - nearest, 0.0F, 1.0F)));
}

ImageSet draw(const std::vector<Glyph>& glyphs, Index count, float noise, std::uint64_t seed,
              std::uint64_t first_stream) {
  ImageSet set{side, side, {}, {}};
  set.pixels.reserve(size(count * side * side));
  for (Index i = 0; i < count; ++i) {
    const Index label = i % static_cast<Index>(glyphs.size());
    Glyph glyph = glyphs[size(label)];
    RandomStream random(seed, Purpose::synthetic, first_stream + static_cast<std::uint64_t>(i));
    for (Point& corner : glyph) {
      const Point shift = random_point(random, -noise, noise);
      corner = {corner.row + shift.row, corner.column + shift.column};
    }
    for (Index row = 0; row < side; ++row) {
      for (Index column = 0; column < side; ++column) {
        set.pixels.push_back(ink({static_cast<float>(row), static_cast<float>(column)}, glyph));
      }
    }
    set.labels.push_back(narrow<std::int32_t>(label));
  }
  return set;
}

}  // namespace

ImageSplits synthetic_images(const SyntheticOptions& options) {
  const std::vector<Glyph> glyphs = class_glyphs(options.classes, options.seed);
  const auto noise = static_cast<float>(options.noise);
  ImageSplits splits;
  splits.classes = options.classes;
  splits.train = draw(glyphs, options.train_examples, noise, options.seed, train_streams);
  splits.validation = ImageSet{side, side, {}, {}};
  splits.test = draw(glyphs, options.test_examples, noise, options.seed, test_streams);
  return splits;
}

}  // namespace dmoe::data
