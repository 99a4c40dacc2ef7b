#include "model/routing.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/ranges.h>

#include "core/enum_names.hpp"

namespace dmoe::model {

namespace {

constexpr EnumNames<GateValue, 3> values{"gate value", {"renormalised", "probability", "straight_through"}};

/// The first of those that are not masked, `most` at most.
void choose_first(Index most, std::span<const std::uint8_t> masked, std::vector<Index>& chosen) {
  chosen.clear();
  for (std::size_t i = 0; i < masked.size() && static_cast<Index>(chosen.size()) < most; ++i) {
    if (masked[i] == 0) chosen.push_back(static_cast<Index>(i));
  }
}

SettingSpec value_setting() {
  SettingSpec spec{"value", fmt::format("gate value in use: {}", fmt::join(values.all(), ", ")),
                   values.all().front()};
  spec.names = values.all();
  return spec;
}

SettingSpec noise_setting() {
  return {"noise", "deviation of the noise on each logit in training", 0.0, 0.0, 1e6};
}

}  // namespace

std::string to_text(GateValue value) {
  return values.text(value);
}

GateValue gate_value_named(const std::string& name) {
  return values.named(name);
}

void AllExperts::choose(std::span<const float> /*p*/, std::span<const std::uint8_t> masked,
                        std::vector<Index>& chosen) const {
  choose_first(static_cast<Index>(masked.size()), masked, chosen);
}

void TopK::choose(std::span<const float> p, std::span<const std::uint8_t> masked,
                  std::vector<Index>& chosen) const {
  const auto larger = [&](Index a, Index b) {
    return p[size(a)] > p[size(b)] || (p[size(a)] == p[size(b)] && a < b);
  };
  // The best so far, best first: k is small.
  chosen.clear();
  for (Index i = 0; i < static_cast<Index>(p.size()); ++i) {
    if (masked[size(i)] != 0) continue;
    if (std::isnan(p[size(i)])) return choose_first(k_, masked, chosen);  // so that it shows
    const bool has_room = static_cast<Index>(chosen.size()) < k_;
    if (!has_room && !larger(i, chosen.back())) continue;
    if (!has_room) chosen.pop_back();
    chosen.insert(std::upper_bound(chosen.begin(), chosen.end(), i, larger), i);
  }
  std::ranges::sort(chosen);
}

void Threshold::choose(std::span<const float> p, std::span<const std::uint8_t> masked,
                       std::vector<Index>& chosen) const {
  Index best = -1;
  chosen.clear();
  for (Index i = 0; i < static_cast<Index>(p.size()); ++i) {
    if (masked[size(i)] != 0) continue;
    if (std::isnan(p[size(i)])) return choose_first(static_cast<Index>(p.size()), masked, chosen);
    if (best < 0 || p[size(i)] > p[size(best)]) best = i;
    if (p[size(i)] >= threshold_) chosen.push_back(i);
  }
  if (chosen.empty()) chosen.push_back(best);
}

RoutingRegistry& routings() {
  static RoutingRegistry table(
      "routing",
      {{"all",
        "mixes all experts (the paper's dense mixture)",
        {},
        [](const Settings&) { return std::make_unique<AllExperts>(); }},
       {"top_k",
        "computes the k experts with the largest gates only",
        {{"k", "experts per example and layer", std::int64_t{2}, 1, 65'536},
         value_setting(),
         noise_setting()},
        [](const Settings& s) {
          return std::make_unique<TopK>(s.integer("k"), gate_value_named(s.text("value")), s.real("noise"));
        }},
       {"threshold",
        "computes the experts whose gate reaches a probability, and the largest",
        {{"probability", "least gate of a chosen expert", 0.1, 0.0, 1.0}, value_setting(), noise_setting()},
        [](const Settings& s) {
          return std::make_unique<Threshold>(s.real("probability"), gate_value_named(s.text("value")),
                                             s.real("noise"));
        }}});
  return table;
}

}  // namespace dmoe::model
