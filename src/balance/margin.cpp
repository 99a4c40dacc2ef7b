#include "balance/margin.hpp"

#include <cassert>

namespace dmoe::balance {

namespace {

__extension__ using Wide = __int128;  // N times a total may exceed 64 bits

}  // namespace

std::vector<SettingSpec> Margin::settings() {
  return {{.name = "margin",
           .help = "lead over the layer's mean total at which an expert is masked",
           .initial = 100.0,
           .minimum = 0.0,
           .maximum = 1e9,
           .unit = "examples"}};
}

std::unique_ptr<Rule> Margin::make(const Settings& settings) {
  return std::make_unique<Margin>(settings.real("margin"));
}

Margin::Margin(double margin_examples)
    : margin_(static_cast<Total>(std::llrint(margin_examples * units_per_example))) {}

void Margin::mask(std::span<const Total> totals, std::span<std::uint8_t> masked) const {
  assert(totals.size() == masked.size());
  const auto experts = static_cast<Wide>(totals.size());
  Wide sum = 0;
  for (const Total total : totals) sum += total;
  for (std::size_t i = 0; i < totals.size(); ++i) {
    masked[i] = experts * totals[i] - sum > experts * margin_ ? 1 : 0;
  }
}

}  // namespace dmoe::balance
