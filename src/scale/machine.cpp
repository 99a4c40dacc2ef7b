#include "scale/machine.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace dmoe::scale {

namespace {

/// Where a size stands on an axis: between points low and low + 1, `share` of the way; and how many times the
/// largest it is.
struct Place {
  std::size_t low = 0;
  double share = 0;
  double beyond = 1;
};

Place place_on(const std::vector<Index>& axis, Index size) {
  const auto value = static_cast<double>(size);
  if (size <= axis.front()) return {};
  if (size >= axis.back()) return {axis.size() - 1, 0, value / static_cast<double>(axis.back())};
  const auto above = static_cast<std::size_t>(std::ranges::upper_bound(axis, size) - axis.begin());
  const auto low = static_cast<double>(axis[above - 1]);
  const auto high = static_cast<double>(axis[above]);
  return {above - 1, std::log(value / low) / std::log(high / low), 1};
}

const std::vector<double>& times_of(const Link& link, Direction direction) {
  return direction == Direction::one_way ? link.one_way : link.crossing;
}

}  // namespace

double ProductTable::operator()(Index m, Index n, Index k) const {
  if (m <= 0 || n <= 0 || k <= 0) return 0;
  const std::array<Place, 3> places{place_on(rows, m), place_on(outputs, n), place_on(inputs, k)};
  double log_seconds = 0;
  for (std::size_t corner = 0; corner < 8; ++corner) {
    double weight = 1;
    std::array<std::size_t, 3> point{};
    for (std::size_t axis = 0; axis < 3; ++axis) {
      const bool is_high = (corner >> axis & 1) != 0;
      weight *= is_high ? places[axis].share : 1 - places[axis].share;
      point[axis] = places[axis].low + (is_high ? 1 : 0);
    }
    if (weight > 0) log_seconds += weight * std::log(at(point[0], point[1], point[2]));
  }
  return std::exp(log_seconds) * places[0].beyond * places[1].beyond * places[2].beyond;
}

double Link::seconds_a_byte(Direction direction) const {
  if (sizes.empty()) return 1 / bandwidth;
  const std::vector<double>& times = times_of(*this, direction);
  const std::size_t last = sizes.size() - 1;
  return (times[last] - times[last - 1]) / (sizes[last] - sizes[last - 1]);
}

double Link::seconds(double bytes, Direction direction) const {
  if (sizes.empty()) return latency + bytes / bandwidth;
  const std::vector<double>& times = times_of(*this, direction);
  if (bytes <= sizes.front()) return times.front();
  if (bytes >= sizes.back()) return times.back() + (bytes - sizes.back()) * seconds_a_byte(direction);
  const auto above = static_cast<std::size_t>(std::ranges::upper_bound(sizes, bytes) - sizes.begin());
  const double share = (bytes - sizes[above - 1]) / (sizes[above] - sizes[above - 1]);
  return times[above - 1] + share * (times[above] - times[above - 1]);
}

const Link& Machine::link_in_group(Index ranks, Index all) const {
  return is_one_node(all) || ranks_a_node % ranks == 0 ? inner : outer;
}

}  // namespace dmoe::scale
