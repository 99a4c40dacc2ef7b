#include "model/routing.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/ranges.h>

#include "core/enum_names.hpp"
#include "numerics/largest.hpp"

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
  return {.name = "value",
          .help = "what weighs a chosen expert",
          .initial = values.all().front(),
          .names = values.all()};
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
  if (!numerics::find_largest(size(k_), p, masked, chosen))
    return choose_first(k_, masked, chosen);  // so that it shows
  std::ranges::sort(chosen);
}

bool TopK::choose_by_logits(std::span<const float> logits, std::span<const std::uint8_t> masked,
                            std::vector<Index>& chosen) const {
  const std::size_t k = size(k_);
  if (!numerics::find_largest(k + 1, logits, masked, chosen)) return false;
  if (chosen.empty() || !std::isfinite(logits[size(chosen.front())])) return false;
  if (chosen.size() > k) {
    // p of the last chosen must be a normal number, and larger than the next after all rounding on its way
    // there: of logit - largest by 2^-18, of exp and of the division by a part in 2^23 each.
    constexpr float farthest = 60;
    constexpr float nearest = 0x1p-15F;
    const float largest = logits[size(chosen.front())];
    const float last = logits[size(chosen[k - 1])];
    const float next = logits[size(chosen[k])];
    if (largest - last > farthest || last - next < nearest) return false;
    chosen.pop_back();
  }
  std::ranges::sort(chosen);
  return true;
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
